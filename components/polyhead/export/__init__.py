"""Write a trained network in another format than TensorFlow's."""
