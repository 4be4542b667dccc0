using System.Diagnostics;
using Uniscale.Launching.Processes;

namespace Uniscale.Launching.Supervision;

/// <summary>
/// Ranks that outlive their mpirun (somebody killed it, or it ran out of memory). They go on training for a while, and must be gone before
/// another attempt works in the same run directory. On other hosts it is for mpirun's own daemons to end them.
/// </summary>
internal static class Leftovers
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(5);

    /// <summary>Ends the ranks of an attempt that still live on this host, and removes the shared memory that they have left.</summary>
    /// <param name="folder">Launch folder of the attempt.</param>
    /// <returns>How many there were.</returns>
    public static int End(string folder)
    {
        var ended = new HashSet<int>();
        foreach (var beat in Heartbeat.ReadAll(folder).Where(beat => beat.Host == Environment.MachineName))
            if (EndRank(folder, beat.ProcessId))
                ended.Add(beat.Rank);
        // A rank that has not joined yet is known by its guard alone, and ends with it.
        foreach (var begun in RankGuard.Begun(folder).Where(begun => begun.Host == Environment.MachineName))
            if (EndRank(folder, begun.ProcessId))
                ended.Add(begun.Rank);
        SharedSegments.Remove(folder);
        return ended.Count;
    }

    private static bool EndRank(string folder, int id)
    {
        if (!IsRankOf(folder, id))
            return false;
        try
        {
            using var process = Process.GetProcessById(id);
            process.Kill();
            process.WaitForExit(Patience);
            return true;
        }
        catch (Exception gone) when (gone is ArgumentException or InvalidOperationException)
        {
            // It ended by itself in the meantime.
            return false;
        }
    }

    /// <summary>Numbers of processes are used again: only one that was told of this folder is a rank.</summary>
    private static bool IsRankOf(string folder, int process)
    {
        try
        {
            return File.ReadAllText($"/proc/{process}/environ").Split('\0').Contains($"{LaunchFolder.Variable}={folder}");
        }
        catch (Exception gone) when (gone is IOException or UnauthorizedAccessException)
        {
            return false;
        }
    }
}
