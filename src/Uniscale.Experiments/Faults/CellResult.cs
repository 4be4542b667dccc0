using System.Globalization;

namespace Uniscale.Experiments.Faults;

/// <summary>How a cell ended.</summary>
public enum CellOutcome
{
    /// <summary>The last weights are those of the unbroken run.</summary>
    Identical,

    /// <summary>The run ended, or went on, with the promised sentence and exit code.</summary>
    Promised,

    /// <summary>The fault cannot happen in this layout.</summary>
    Impossible,

    /// <summary>Anything else.</summary>
    Failed,
}

/// <summary>One cell of the matrix.</summary>
/// <param name="Case">Its row.</param>
/// <param name="Layout">Its column.</param>
/// <param name="Outcome">How it ended.</param>
/// <param name="ExitCode">Exit code of the run that was broken.</param>
/// <param name="DetectSeconds">From the fault until somebody said so: the supervisor, a warning of the run, or its end; null: nobody did,
/// or needed to.</param>
/// <param name="BackSeconds">From the fault until the step that was lost was done; null: it never was, or is not to be.</param>
/// <param name="Seconds">Time of the cell.</param>
/// <param name="Problem">What is not as promised, or why it cannot happen; empty: nothing.</param>
public sealed record CellResult(
    string Case,
    string Layout,
    CellOutcome Outcome,
    int ExitCode,
    double? DetectSeconds,
    double? BackSeconds,
    double Seconds,
    string Problem
)
{
    /// <summary>Whether all is as promised.</summary>
    public bool IsGood => Outcome != CellOutcome.Failed;

    /// <summary>The cell in a few words.</summary>
    public string InShort() =>
        Outcome switch
        {
            CellOutcome.Impossible => "-",
            CellOutcome.Failed => "FAILED",
            _ => $"{(Outcome == CellOutcome.Identical ? "same" : $"exit {ExitCode}")} {Show(DetectSeconds)} / {Show(BackSeconds)}",
        };

    private static string Show(double? seconds) => seconds?.ToString("0.0", CultureInfo.InvariantCulture) ?? "-";
}
