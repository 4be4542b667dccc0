using System.Globalization;
using Uniscale.Collectives.Journal;

namespace Uniscale.Launching.Supervision;

/// <summary>Why a job stands still.</summary>
/// <param name="Suspects">Ranks that the others wait for; all, when they wait for each other.</param>
/// <param name="Sentence">What is to be said: rank, host, last operation, expected operation.</param>
/// <param name="Table">One line a rank: its step and its oldest unfinished, else its last, operation.</param>
public sealed record Diagnosis(IReadOnlyList<int> Suspects, string Sentence, IReadOnlyList<string> Table)
{
    /// <summary>A process that has not run for so long is stopped, swapped out or dead.</summary>
    private static readonly TimeSpan Lifeless = TimeSpan.FromSeconds(4);

    /// <summary>Reads heartbeats and journals of a folder.</summary>
    public static Diagnosis Of(string folder, DateTimeOffset now) => Of(folder, Heartbeat.ReadAll(folder), now);

    /// <summary>Reads journals of a folder.</summary>
    /// <param name="folder">The folder.</param>
    /// <param name="beats">Heartbeats of its ranks.</param>
    /// <param name="now">The time.</param>
    public static Diagnosis Of(string folder, IReadOnlyList<Heartbeat> beats, DateTimeOffset now) => Of(Read(folder, beats), now);

    /// <summary>
    /// The host that is to blame; empty where ranks of several hosts wait for each other, as over a link that is cut: none of them is more
    /// suspect than another, and the next start finds out which cannot be reached.
    /// </summary>
    /// <param name="beats">The ranks' heartbeats.</param>
    public string HostOf(IReadOnlyList<Heartbeat> beats)
    {
        var living = beats.Where(beat => !beat.HasEnded).ToList();
        bool isMutual = living.TrueForAll(beat => Suspects.Contains(beat.Rank)) && living.DistinctBy(beat => beat.Host).Count() > 1;
        return isMutual ? "" : beats.FirstOrDefault(beat => beat.Rank == Suspects[0])?.Host ?? "";
    }

    /// <summary>
    /// Whether a rank waits in an operation in whose place another posted a different one: it will not end, whatever that rank is busy
    /// with.
    /// </summary>
    public static bool HasDisagreement(string folder) => Disagreement(Read(folder, Heartbeat.ReadAll(folder))) is not null;

    private static List<RankView> Read(string folder, IReadOnlyList<Heartbeat> beats)
    {
        NodeSigns.BringJournals(folder, beats);
        return [.. beats.Select(beat => new RankView(beat, CollectiveJournal.Read(RankMonitor.JournalPath(folder, beat.Rank))))];
    }

    /// <summary>Judges the ranks of a job.</summary>
    public static Diagnosis Of(IReadOnlyList<RankView> ranks, DateTimeOffset now)
    {
        if (ranks.Count == 0)
            return new([], "no rank has left readable signs of life", []);
        string[] table = [.. ranks.Select(rank => rank.Line(now))];
        if (ranks.Any(rank => !rank.Beat.HasEnded))
            ranks = [.. ranks.Where(rank => !rank.Beat.HasEnded)];
        var (suspects, sentence) = Lifelessness(ranks, now) ?? Disagreement(ranks) ?? Absence(ranks, now) ?? Lag(ranks) ?? Circle(ranks);
        return new(suspects, sentence, table);
    }

    private static (IReadOnlyList<int>, string)? Lifelessness(IReadOnlyList<RankView> ranks, DateTimeOffset now)
    {
        var still = ranks.Where(rank => now - rank.Beat.Alive > Lifeless).OrderBy(rank => rank.Beat.Alive).ToList();
        if (still.Count == 0)
            return null;
        var first = still[0];
        return (
            [.. still.Select(rank => rank.Beat.Rank)],
            $"{first.Name} (process {first.Beat.ProcessId}) has not run for {Seconds(now - first.Beat.Alive)} s: stopped, or its host is gone; {first.LastWords}"
        );
    }

    private static (IReadOnlyList<int>, string)? Disagreement(IReadOnlyList<RankView> ranks)
    {
        var waiting = ranks
            .SelectMany(rank => rank.Waiting)
            .Where(entry => !IsMessage(entry))
            .Select(entry => (entry.Group, entry.Sequence))
            .ToHashSet();
        if (waiting.Count == 0)
            return null;
        // Whoever posted another one may have come through: MPI matches messages by their sizes, not by what they are for.
        var posted = ranks.SelectMany(rank =>
            rank.Journal.Where(entry => !IsMessage(entry) && waiting.Contains((entry.Group, entry.Sequence)))
                .Select(entry => (Rank: rank, Entry: entry))
        );
        foreach (var place in posted.GroupBy(item => (item.Entry.Group, item.Entry.Sequence)))
        {
            var different = place.GroupBy(item => item.Entry.Signature).OrderByDescending(same => same.Count()).ToList();
            if (different.Count < 2)
                continue;
            return (
                [.. different[^1].Select(item => item.Rank.Beat.Rank)],
                $"ranks disagree at operation {place.Key.Sequence} of group {place.Key.Group}: "
                    + string.Join(", ", different.Select(same => $"{same.First().Rank.Name} posted {same.Key}"))
            );
        }
        return null;
    }

    private static (IReadOnlyList<int>, string)? Absence(IReadOnlyList<RankView> ranks, DateTimeOffset now)
    {
        var absent = ranks.Where(rank => rank.Waiting.Count == 0).ToList();
        var waiting = ranks.Where(rank => rank.Waiting.Count > 0).OrderBy(rank => rank.WaitsSince).ToList();
        if (absent.Count == 0)
            return null;
        if (waiting.Count == 0)
            return ([.. absent.Select(rank => rank.Beat.Rank)], $"no rank communicates and none finishes its step; {absent[0].LastWords}");
        var first = waiting[0];
        return (
            [.. absent.Select(rank => rank.Beat.Rank)],
            $"{string.Join(", ", absent.Select(rank => rank.Name))} did not come to {first.Waiting[0]}, in which {waiting.Count} "
                + $"{(waiting.Count == 1 ? "rank has" : "ranks have")} waited for {Seconds(now - first.WaitsSince)} s; {absent[0].LastWords}"
        );
    }

    /// <summary>
    /// All wait, some of them in an operation that others of the same group have left: what these sent does not arrive there, as over a
    /// link that is cut.
    /// </summary>
    private static (IReadOnlyList<int>, string)? Lag(IReadOnlyList<RankView> ranks)
    {
        var together = ranks.OrderBy(rank => rank.WaitsSince).Where(rank => !IsMessage(rank.Waiting[0]));
        foreach (var group in together.GroupBy(rank => rank.Waiting[0].Group))
        {
            long first = group.Min(rank => rank.Waiting[0].Sequence);
            var behind = group.Where(rank => rank.Waiting[0].Sequence == first).ToList();
            if (behind.Count < group.Count())
                return (
                    [.. behind.Select(rank => rank.Beat.Rank)],
                    $"{string.Join(", ", behind.Select(rank => rank.Name))} still {(behind.Count == 1 ? "waits" : "wait")} in "
                        + $"{behind[0].Waiting[0]}, which others of the group have left: nothing arrives there"
                );
        }
        return null;
    }

    private static (IReadOnlyList<int>, string) Circle(IReadOnlyList<RankView> ranks) =>
        (
            [.. ranks.Select(rank => rank.Beat.Rank)],
            "all ranks wait for each other: " + string.Join("; ", ranks.Select(rank => $"{rank.Name} in {rank.Waiting[0]}"))
        );

    private static bool IsMessage(JournalEntry entry) => entry.Signature.Kind is OperationKind.Send or OperationKind.Receive;

    internal static string Seconds(TimeSpan time) => time.TotalSeconds.ToString("0", CultureInfo.InvariantCulture);
}

/// <summary>What is known of one rank.</summary>
/// <param name="Beat">Its signs of life.</param>
/// <param name="Journal">Its last operations, oldest first.</param>
public sealed record RankView(Heartbeat Beat, IReadOnlyList<JournalEntry> Journal)
{
    /// <summary>Operations that it waits for, oldest first.</summary>
    public IReadOnlyList<JournalEntry> Waiting { get; } = CollectiveJournal.Unfinished(Journal);

    /// <summary>Since when it waits, if it does, by the clock of its heartbeat.</summary>
    internal DateTimeOffset WaitsSince => Waiting[0].Posted - Beat.Ahead;

    /// <summary>Rank and host.</summary>
    public string Name => $"rank {Beat.Rank} on {Beat.Host}";

    /// <summary>The last that it did.</summary>
    public string LastWords => Journal.Count == 0 ? "it has not communicated yet" : $"the last it did is {Journal[^1]}";

    /// <summary>The rank in one line.</summary>
    public string Line(DateTimeOffset now)
    {
        string state = Waiting.Count > 0 ? $"waits {Diagnosis.Seconds(now - WaitsSince)} s in {Waiting[0]}" : LastWords;
        string busy = Beat.Busy.Length > 0 ? $", {Beat.Busy}" : "";
        return $"{Name}: step {Beat.Step}{busy}, alive {Diagnosis.Seconds(now - Beat.Alive)} s ago, moved {Diagnosis.Seconds(now - Beat.Moved)} s ago, {state}";
    }
}
