namespace Uniscale.Evaluation.Execution;

/// <summary>What a program may use.</summary>
public sealed record SandboxLimits
{
    /// <summary>Time from its start to its end.</summary>
    public TimeSpan Time { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>Address space of each process, in bytes.</summary>
    public long MemoryBytes { get; init; } = 512L << 20;

    /// <summary>Processes and threads at a time.</summary>
    public int Processes { get; init; } = 8;

    /// <summary>Files that it may write, in bytes; they lie in memory and are gone with it.</summary>
    public long FileBytes { get; init; } = 16L << 20;
}
