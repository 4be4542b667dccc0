namespace Uniscale.Planning.Failures;

/// <summary>What a run does between failures. Times in seconds.</summary>
public sealed record JobModel
{
    /// <summary>Work of the whole run: its steps and pauses without saves and failures.</summary>
    public required double Work { get; init; }

    /// <summary>Work between two saves.</summary>
    public required double Interval { get; init; }

    /// <summary>How long a save blocks training.</summary>
    public required double SaveBlocks { get; init; }

    /// <summary>How long a save is then written behind training; until then it does not count.</summary>
    public double SaveWrites { get; init; }

    /// <summary>By which share steps are slower while a save is written.</summary>
    public double SaveSlows { get; init; }

    /// <summary>Tokens of the whole run.</summary>
    public double Tokens { get; init; }

    /// <summary>Time of a cycle: work, the block, and what is lost while the save is written.</summary>
    public double Cycle => Interval + SaveBlocks + SlowLoss;

    /// <summary>Seconds lost in a cycle because steps are slower while the save is written.</summary>
    public double SlowLoss => Math.Min(SaveWrites, Interval) * SaveSlows;
}
