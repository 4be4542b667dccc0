namespace Uniscale.Programs.Checking;

/// <summary>A rule that a program breaks.</summary>
/// <param name="Rank">World rank.</param>
/// <param name="Index">Place in the rank's instructions; their count where something is missing at the end.</param>
/// <param name="Reason">What is wrong, in words.</param>
public sealed record Violation(int Rank, int Index, string Reason)
{
    /// <inheritdoc/>
    public override string ToString() => $"rank {Rank}, instruction {Index}: {Reason}";
}

/// <summary>What the checker found.</summary>
public sealed record Verdict
{
    /// <summary>Broken rules, the first <see cref="ProgramChecker.ReportedAtMost"/>; empty where the programs are right.</summary>
    public required IReadOnlyList<Violation> Violations { get; init; }

    /// <summary>Most bytes of activations alive on each rank.</summary>
    public required IReadOnlyList<long> PeakActivationBytes { get; init; }

    /// <summary>Instructions of all ranks.</summary>
    public required long InstructionCount { get; init; }

    /// <summary>Whether no rule is broken.</summary>
    public bool Passed => Violations.Count == 0;

    /// <summary>Rank with the highest peak.</summary>
    public int PeakRank => PeakActivationBytes.Count == 0 ? 0 : PeakActivationBytes.Index().MaxBy(peak => peak.Item).Index;
}
