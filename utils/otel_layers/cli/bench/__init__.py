"""What `bench` is made of: the cases that are compared, the stock set-up, the measuring, the figures and the page."""
