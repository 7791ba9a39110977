"""What a field of the spec means and where it ends up, and what made a rendered line.

Nothing is traced: a value is changed, the project rendered again in memory, and the texts compared.
A line that changes is made by the value; one that no change of the spec touches, by the template.
"""
