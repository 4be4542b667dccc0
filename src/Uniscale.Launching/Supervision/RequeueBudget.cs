namespace Uniscale.Launching.Supervision;

/// <summary>
/// How often a job goes back into the queue of its batch system. As long as it comes further from start to start there is no limit; where
/// it does not, another allocation will not help.
/// </summary>
public static class RequeueBudget
{
    private const int MostWithoutProgress = 3;

    /// <summary>Whether a job may be queued again, by the log of its life.</summary>
    /// <param name="events">All that has happened to it.</param>
    /// <param name="step">Step that it has reached now.</param>
    /// <returns>Null if it may; else why not, in a sentence.</returns>
    public static string? Refusal(IReadOnlyList<JobEvent> events, long step)
    {
        long best = -1;
        int since = 0;
        foreach (var entry in events.Where(entry => entry.Kind == JobEventKind.Requeued))
            (best, since) = entry.Step > best ? (entry.Step, 0) : (best, since + 1);
        if (step <= best)
            since++;
        return step <= best && since >= MostWithoutProgress
            ? $"it has been queued {since} times without coming beyond step {best}, so another allocation will not help"
            : null;
    }
}
