"""What Argo CD applies of a project: the Application, and the order of what it applies.

Nothing here has an effect on a project whose spec has no `gitops`.
"""
