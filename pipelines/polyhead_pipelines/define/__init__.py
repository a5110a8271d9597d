"""What the pipelines are made of: the tasks of training and predicting, and what each asks of its platform."""
