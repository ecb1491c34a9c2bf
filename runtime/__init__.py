"""What a process needs to run and no business owns. Membership test: two services need it, and it knows none of them."""
