"""95 % intervals of metrics and of their differences to the baseline; each metric names the method that it takes.

Rows count as drawn independently from one population, the table's future rows; an interval is about the value in that
population. Which method promises what was decided by simulation, `python -m benchmarks.coverage`: where 93 to 97 of 100
intervals do not hold the population's value, there is none, and a reason.

- accuracy, coverage: Wilson's score interval (Wilson 1927, J. Am. Stat. Assoc. 22).
- balanced accuracy, macro F1: Wilson's for each class, where an F1 is 2q / (1 + q) and q the share of right ones among
  the rows that have the class or are said to. The mean by MOVER, which adds up squared distances to the limits (Zou and
  Donner 2008, Stat. Med. 27), here with the correlations of the classes.
- ROC AUC: halfway, on the logit scale, between DeLong's with Welch's degrees of freedom (DeLong et al. 1988, Biometrics
  44) and the wider of it and Newcombe's method 5 (Newcombe 2006, Stat. Med. 25), which alone is used if every pair is
  ranked right. The mean by MOVER.
- PR AUC: on the logit scale, with the standard error of its influence function and Student's t over the positive rows.
  The mean by MOVER.
- losses and errors: the studentised bootstrap of the logarithm (Hall 1988, Ann. Stat. 16). R², D² and the
  quadratic weighted kappa are 1 minus a ratio of errors.
- differences to the baseline: of shares and ranks by MOVER for paired values (Zou 2007, Psychol. Methods 12), of losses
  and errors by the studentised bootstrap of what the rows differ by.

A sample seldom holds its population's largest errors, so the studentised bootstrap falls short on that side: it missed
5 to 8 % there instead of 2.5 %. A more extreme quantile, 1 % and 0.5 % for RMSE, brings it back to what is promised.
The rows' differences may be long on either side: 0.5 % on the longer one, 1 % on the other.
"""
