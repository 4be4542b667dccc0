namespace Uniscale.Launching.Supervision;

/// <summary>
/// Reads heartbeats by the observer's clock. Each host writes its own, which may be set wrong or jump; then it counts when the observer
/// saw a beat change.
/// </summary>
public sealed class BeatClocks
{
    /// <summary>Less is the time between a beat and the look at it.</summary>
    private static readonly TimeSpan Tolerated = TimeSpan.FromSeconds(5);

    private readonly Dictionary<int, Seen> _seen = [];

    /// <summary>Heartbeats in a folder, by rank.</summary>
    /// <param name="folder">The folder.</param>
    /// <param name="now">The observer's time.</param>
    public IReadOnlyList<Heartbeat> Read(string folder, DateTimeOffset now) => Translate(Heartbeat.ReadAll(folder), now);

    /// <summary>The same beats with times of the observer's clock.</summary>
    public IReadOnlyList<Heartbeat> Translate(IReadOnlyList<Heartbeat> beats, DateTimeOffset now) =>
        [.. beats.Select(beat => Translate(beat, now))];

    private Heartbeat Translate(Heartbeat beat, DateTimeOffset now)
    {
        var seen = _seen.GetValueOrDefault(beat.Rank);
        if (seen is null || seen.Alive != beat.Alive)
        {
            var ahead = beat.Alive - now;
            if (ahead.Duration() < Tolerated)
                ahead = TimeSpan.Zero;
            // What has not moved since the last look keeps its time, though the clock may have jumped.
            var moved = seen?.Moved == beat.Moved ? seen.MovedHere : beat.Moved - ahead;
            _seen[beat.Rank] = seen = new Seen(beat.Alive, beat.Moved, ahead, moved);
        }
        return seen.Ahead == TimeSpan.Zero && seen.MovedHere == beat.Moved
            ? beat
            : beat with
            {
                Alive = beat.Alive - seen.Ahead,
                Moved = seen.MovedHere,
                Ahead = seen.Ahead,
            };
    }

    private sealed record Seen(DateTimeOffset Alive, DateTimeOffset Moved, TimeSpan Ahead, DateTimeOffset MovedHere);
}
