"""Pictures that show none of the 200 things, and the rejection of them: its fit and its figures."""
