using Uniscale.Configuration;

namespace Uniscale.Corpus;

/// <summary>The one rule for how many threads a user may ask for.</summary>
internal static class WorkerCount
{
    /// <summary>More than any machine has processors; each worker costs memory for what it has in hand.</summary>
    public const int Most = 1024;

    /// <summary>Refuses what no machine can run.</summary>
    /// <param name="workers">Threads.</param>
    /// <param name="option">What the user wrote it after.</param>
    public static void Check(int workers, string option = "--workers")
    {
        if (workers is < 1 or > Most)
            throw new UserErrorException(
                $"{option} {workers} is no number of threads: give 1 to {Most}; more than the {Environment.ProcessorCount} processors here gain nothing."
            );
    }
}
