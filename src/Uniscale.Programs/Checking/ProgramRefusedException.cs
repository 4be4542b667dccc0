namespace Uniscale.Programs.Checking;

/// <summary>A program that breaks a rule is not run. The message names rank and instruction of the first fault.</summary>
public sealed class ProgramRefusedException(Verdict verdict)
    : Exception(
        $"the step program is refused: {verdict.Violations[0]}{(verdict.Violations.Count > 1 ? $" (and {verdict.Violations.Count - 1} more)" : "")}"
    )
{
    /// <summary>All that was found.</summary>
    public Verdict Verdict { get; } = verdict;
}
