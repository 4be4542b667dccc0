using System.Globalization;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Text;
using System.Text.Unicode;
using Uniscale.Configuration;
using Uniscale.Launching.Ownership;

namespace Uniscale.Launching.Supervision;

/// <summary>A rank's signs of life, as its supervisor reads them.</summary>
/// <param name="Rank">The rank.</param>
/// <param name="Host">Where it runs.</param>
/// <param name="ProcessId">Its process.</param>
/// <param name="Step">Steps done.</param>
/// <param name="Busy">What it does besides steps, such as saving; empty while it trains.</param>
/// <param name="Alive">When the process last ran at all, known to a second: a stopped or swapped-out process does not move it.</param>
/// <param name="Moved">When it last finished a step or began or ended something else.</param>
public sealed record Heartbeat(int Rank, string Host, int ProcessId, long Step, string Busy, DateTimeOffset Alive, DateTimeOffset Moved)
{
    /// <summary>What a rank that has left its job in order is busy with.</summary>
    internal const string Ended = "ended";

    /// <summary>What a rank is busy with until the run is stored and comes to its steps.</summary>
    internal const string Starting = "starting";

    private const string Pattern = "rank-*.beat";

    /// <summary>How much the clock that times in its journal are of is ahead of the one that the times here are of.</summary>
    public TimeSpan Ahead { get; init; }

    /// <summary>True if the rank has left its job in order.</summary>
    public bool HasEnded => Busy == Ended;

    /// <summary>
    /// Ranks whose processes run. On this host the process itself is looked for; one that is elsewhere, or in a container, proves itself by
    /// a beat that comes in the
    /// meantime, which takes a second and a half.
    /// </summary>
    /// <param name="folder">Where the heartbeats lie.</param>
    /// <param name="now">The time.</param>
    internal static IReadOnlyList<Heartbeat> Living(string folder, DateTimeOffset now)
    {
        var recent = ReadAll(folder).Where(beat => !beat.HasEnded && now - beat.Alive < Lifeless).ToLookup(beat => beat.IsSeenRunning);
        if (!recent[false].Any())
            return [.. recent[true]];
        Thread.Sleep(RankMonitor.AlivePeriod + Margin);
        var later = ReadAll(folder).ToDictionary(beat => beat.Rank);
        return
        [
            .. recent[true],
            .. recent[false].Where(beat => later.TryGetValue(beat.Rank, out var next) && !next.HasEnded && next.Alive > beat.Alive),
        ];
    }

    private bool IsSeenRunning => Host == Environment.MachineName && ProcessIdentity.IsRunning(ProcessId, Alive);

    private static readonly TimeSpan Lifeless = TimeSpan.FromSeconds(5);

    private static readonly TimeSpan Margin = TimeSpan.FromMilliseconds(500);

    /// <summary>Heartbeats in a folder, by rank.</summary>
    public static IReadOnlyList<Heartbeat> ReadAll(string folder)
    {
        var beats = Files(folder).SelectMany(Read);
        // While a rank joins, those of its host change places, and one may be read twice.
        return [.. beats.GroupBy(beat => beat.Rank).Select(same => same.MaxBy(beat => beat.Alive)!).OrderBy(beat => beat.Rank)];
    }

    /// <summary>Files with heartbeats: of a rank, or of a host's ranks.</summary>
    internal static IEnumerable<string> Files(string folder) =>
        Directory.EnumerateFiles(folder, Pattern).Concat(Directory.EnumerateFiles(folder, NodeSigns.BeatsPattern));

    private static IReadOnlyList<Heartbeat> Read(string path)
    {
        try
        {
            using var stream = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite);
            byte[] bytes = new byte[Math.Min(stream.Length, (long)HeartbeatSlot.SizeBytes * Limits.Ranks)];
            int length = stream.ReadAtLeast(bytes, bytes.Length, throwOnEndOfStream: false);
            length -= length % HeartbeatSlot.SizeBytes;
            var slots = MemoryMarshal.Cast<byte, HeartbeatSlot>(bytes.AsSpan(0, length));
            var beats = new List<Heartbeat>();
            foreach (ref readonly var slot in slots)
                if (slot.IsSound)
                    beats.Add(slot.ToHeartbeat());
            return beats;
        }
        catch (FileNotFoundException)
        {
            // A rank that starts makes its file anew: for a moment what was listed is not there.
            return [];
        }
    }

    /// <summary>The file of a rank.</summary>
    public static string PathOf(string folder, int rank) =>
        Path.Combine(folder, string.Create(CultureInfo.InvariantCulture, $"rank-{rank:D5}.beat"));
}

/// <summary>A heartbeat as it lies in its file: 192 bytes, no references.</summary>
[StructLayout(LayoutKind.Sequential, Pack = 8)]
internal struct HeartbeatSlot
{
    public const int SizeBytes = 192;

    private const int TextBytes = 76;

    public long AliveTicks;
    public long MovedTicks;
    public long Step;
    public int Rank;
    public int ProcessId;
    public int BusyLength;
    public int HostLength;
    public Text Busy;
    public Text Host;

    [InlineArray(TextBytes)]
    public struct Text
    {
        private byte _first;
    }

    /// <summary>The bytes can be a heartbeat's: a torn or foreign file is none.</summary>
    public readonly bool IsSound =>
        AliveTicks > 0
        && AliveTicks <= DateTime.MaxValue.Ticks
        && MovedTicks >= 0
        && MovedTicks <= DateTime.MaxValue.Ticks
        && Step >= 0
        && Rank >= 0
        && BusyLength is >= 0 and <= TextBytes
        && HostLength is >= 0 and <= TextBytes;

    public void SetBusy(string what) => Utf8.FromUtf16(what, Busy, out _, out BusyLength);

    public void SetHost(string host) => Utf8.FromUtf16(host, Host, out _, out HostLength);

    public readonly Heartbeat ToHeartbeat()
    {
        ReadOnlySpan<byte> busy = Busy,
            host = Host;
        return new(
            Rank,
            Encoding.UTF8.GetString(host[..HostLength]),
            ProcessId,
            Step,
            Encoding.UTF8.GetString(busy[..BusyLength]),
            new DateTimeOffset(AliveTicks, TimeSpan.Zero),
            new DateTimeOffset(MovedTicks, TimeSpan.Zero)
        );
    }
}
