"""95 % intervals of metrics and of their differences to the baseline; each metric names the method that it takes.

Rows count as drawn independently from one population, the table's future rows; an interval is about the value in that
population. Which method promises what was decided by simulation, `python -m benchmarks.coverage`: where 93 to 97 of 100
intervals do not hold the population's value, there is none, and a reason.

- accuracy, top-3 accuracy, coverage: Wilson's score interval (Wilson 1927, J. Am. Stat. Assoc. 22).
- balanced accuracy, F1, macro F1: Wilson's for each class, where an F1 is 2q / (1 + q) and q the share of right ones
  among the rows that have the class or are said to. The mean by MOVER, which adds up squared distances to the limits
  (Zou and Donner 2008, Stat. Med. 27), here with the correlations of the classes.
- weighted F1, Matthews correlation: Wilson's over as many rows as give a share the same standard error, by the rows'
  influence. Of the correlation there is none where fewer than ten rows have, or are said to have, another class than
  the commonest: the influence of so few is not known.
- median absolute error: between order statistics (Hettmansperger and Sheather 1986), its difference by MOVER with the
  correlation of the signs.
- what conformal intervals and sets held: exact (Clopper and Pearson 1934).
- ROC AUC: halfway, on the logit scale, between DeLong's with Welch's degrees of freedom (DeLong et al. 1988, Biometrics
  44) and the wider of it and Newcombe's method 5 (Newcombe 2006, Stat. Med. 25), which alone is used if every pair is
  ranked right. The mean by MOVER.
- PR AUC: on the logit scale, with the standard error of its influence function and Student's t over the positive rows.
  The mean by MOVER.
- losses and errors: the studentised bootstrap of the logarithm (Hall 1988, Ann. Stat. 16). R², D² and the
  quadratic weighted kappa are 1 minus a ratio of errors.
- differences to the baseline: of shares and ranks by MOVER for paired values (Zou 2007, Psychol. Methods 12), of losses
  and errors by the studentised bootstrap of what the rows differ by.

By row weights, losses and errors are ratios of two means, of the terms times their weights and of the weights. Shares
and ranks get the limits of a share with the standard error of a jackknife that deletes groups of rows, and the median
absolute error Woodruff's. As many rows are needed as of equal weight say as much (Kish 1965).

Where a few rows decide a mean of losses, the studentised bootstrap has no upper limit that means anything. There is no
interval where the squared standard error of the logarithm is above 0.15; of log loss and Brier score neither where it
would be if labels came as the head's probabilities say, since whether a sample holds a sure mistake is chance. In
simulations of heads from 80 to 99 % accuracy, 93 to 98 of 100 intervals that are left hold, and few end at more than
ten times where they begin.

A sample seldom holds its population's largest errors, so the studentised bootstrap falls short on that side: it missed
5 to 8 % there instead of 2.5 %. A more extreme quantile, 1 % and 0.5 % for RMSE, brings it back to what is promised.
The rows' differences may be long on either side: 0.5 % on the longer one, 1 % on the other.
"""
