"""What crosses between a training process and the audio machine: graphs, messages, their bytes."""
