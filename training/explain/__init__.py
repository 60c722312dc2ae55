"""Why a model of rows answers as it does: by feature, by feature view, by row; and what each view costs to look up."""
