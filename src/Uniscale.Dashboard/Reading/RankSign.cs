using System.Buffers.Binary;
using System.Text;
using Uniscale.Dashboard.Safety;

namespace Uniscale.Dashboard.Reading;

/// <summary>
/// A rank's signs of life, as it writes them to launch/rank-NNNNN.beat, or its host to node-*.beats (decisions 0012, 0287).
/// </summary>
/// <param name="Busy">What it does besides steps; empty while it trains.</param>
/// <param name="Alive">When its process last ran, by its own clock.</param>
/// <param name="Moved">When it last finished a step or began or ended something else.</param>
public sealed record RankSign(int Rank, string Host, int ProcessId, long Step, string Busy, DateTimeOffset Alive, DateTimeOffset Moved)
{
    private const int SizeBytes = 192,
        TextBytes = 76,
        MostRanks = 4_096,
        MostRanksOfHost = 256;

    /// <summary>A rank writes every second; clocks of two machines differ.</summary>
    private static readonly TimeSpan Lifeless = TimeSpan.FromSeconds(10);

    /// <summary>Whether the rank's process ran lately and has not left in order.</summary>
    public bool IsAliveAt(DateTimeOffset now) => Busy != "ended" && (now - Alive).Duration() < Lifeless;

    /// <summary>The signs of the newest attempt, by rank.</summary>
    internal static IReadOnlyList<RankSign> Read(RunsFolder door, string run)
    {
        string launch = Path.Combine(run, "launch");
        IReadOnlyList<RankSign> newest = [];
        foreach (
            string folder in door.Folders(launch, "attempt-*") is [.., var last] ? (string[])[launch, Path.Combine(launch, last)] : [launch]
        )
        {
            var signs = door.Files(folder, "rank-*.beat")
                .Concat(door.Files(folder, "node-*.beats"))
                .Take(MostRanks)
                .SelectMany(name => ReadAll(door, folder, name))
                .GroupBy(sign => sign.Rank)
                .Select(same => same.MaxBy(sign => sign.Alive)!)
                .Take(MostRanks)
                .OrderBy(sign => sign.Rank)
                .ToList();
            if (signs.Count > 0 && (newest.Count == 0 || signs.Max(sign => sign.Alive) > newest.Max(sign => sign.Alive)))
                newest = signs;
        }
        return newest;
    }

    /// <summary>A file of a host has the signs of all its ranks, one after the other.</summary>
    private static List<RankSign> ReadAll(RunsFolder door, string folder, string name)
    {
        var signs = new List<RankSign>();
        try
        {
            using var stream = door.Open(folder, name);
            byte[] bytes = new byte[Math.Min(stream?.Length ?? 0, SizeBytes * MostRanksOfHost)];
            int length = stream?.ReadAtLeast(bytes, bytes.Length, throwOnEndOfStream: false) ?? 0;
            for (int at = 0; at + SizeBytes <= length; at += SizeBytes)
                if (Parse(bytes.AsSpan(at, SizeBytes)) is { } sign)
                    signs.Add(sign);
        }
        catch (Exception error) when (RunsFolder.IsOfFile(error))
        {
            // What was read counts.
        }
        return signs;
    }

    private static RankSign? Parse(ReadOnlySpan<byte> bytes)
    {
        long alive = BinaryPrimitives.ReadInt64LittleEndian(bytes),
            moved = BinaryPrimitives.ReadInt64LittleEndian(bytes[8..]);
        long step = BinaryPrimitives.ReadInt64LittleEndian(bytes[16..]);
        int rank = BinaryPrimitives.ReadInt32LittleEndian(bytes[24..]),
            process = BinaryPrimitives.ReadInt32LittleEndian(bytes[28..]);
        int busy = BinaryPrimitives.ReadInt32LittleEndian(bytes[32..]),
            host = BinaryPrimitives.ReadInt32LittleEndian(bytes[36..]);
        bool isSound =
            alive > 0
            && alive <= DateTime.MaxValue.Ticks
            && moved >= 0
            && moved <= DateTime.MaxValue.Ticks
            && step >= 0
            && rank >= 0
            && busy is >= 0 and <= TextBytes
            && host is >= 0 and <= TextBytes;
        return !isSound
            ? null
            : new RankSign(
                rank,
                Encoding.UTF8.GetString(bytes.Slice(40 + TextBytes, host)),
                process,
                step,
                Encoding.UTF8.GetString(bytes.Slice(40, busy)),
                new DateTimeOffset(alive, TimeSpan.Zero),
                new DateTimeOffset(moved, TimeSpan.Zero)
            );
    }
}
