"""The work of `ctrnn simulate`: a specification in, a resumable run and files out.

Nothing is imported here, so that the command line can show its help at once.
"""
