namespace Uniscale.Checkpoints.Loading;

/// <summary>Tells a file that is damaged from one that this process cannot read, which may be as good as it was.</summary>
internal static class ReadFailure
{
    // Numbers of Linux, which .NET hands on as they are.
    private const int NoMemory = 12,
        TooManyOfSystem = 23,
        TooManyOfProcess = 24;

    /// <summary>What a failed read means: a checkpoint is given up for an older one only where it is damaged.</summary>
    /// <param name="what">What could not be done, without a full stop.</param>
    /// <param name="failure">Why.</param>
    public static CheckpointException Of(string what, Exception failure) =>
        failure switch
        {
            IOException { HResult: TooManyOfProcess or TooManyOfSystem } => new CheckpointException(
                $"{what}: too many files are open; raise the limit (ulimit -n)",
                failure
            ),
            IOException { HResult: NoMemory } => new CheckpointException($"{what}: there is no memory left for it", failure),
            UnauthorizedAccessException => new CheckpointException($"{what} ({failure.Message}): take the right to read it", failure),
            _ => new CheckpointDamagedException($"{what} ({failure.Message})", failure),
        };
}
