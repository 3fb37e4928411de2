"""What Switchover costs beside an empty flow run, and how a sweep grows with its migrations."""
