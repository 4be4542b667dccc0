using System.Globalization;

namespace Uniscale.Launching.Supervision;

/// <summary>
/// Signs of life of a job on several hosts: ranks write them to memory of their host, and the guard of a host's first rank brings the
/// beats of all to the launch folder, in one write a second, and the journals when somebody asks for them.
/// </summary>
internal static class NodeSigns
{
    /// <summary>Tells guards and ranks the folder on their own host.</summary>
    public const string Variable = "UNISCALE_SIGNS_FOLDER";

    /// <summary>Files with the beats of a host's ranks.</summary>
    public const string BeatsPattern = "node-*.beats";

    /// <summary>While this file is there, guards bring the journals.</summary>
    public const string AskedName = "journals-asked";

    private const string LocalFolders = "/dev/shm/uniscale-signs-";

    // A guard looks every second.
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(3),
        Poll = TimeSpan.FromMilliseconds(100);

    /// <summary>A folder for a start; its name is another each time.</summary>
    public static string NewFolder() => LocalFolders + Guid.NewGuid().ToString("n")[..12];

    /// <summary>The folder on this rank's host; null: signs go to the launch folder.</summary>
    public static string? Local =>
        Environment.GetEnvironmentVariable(Variable) is { Length: > 0 } folder && Directory.Exists(folder) ? folder : null;

    /// <summary>
    /// Has the journals of some ranks brought to a launch folder and waits until they are there; those of hosts that are gone do not come.
    /// </summary>
    public static void BringJournals(string folder, IReadOnlyList<Heartbeat> beats)
    {
        if (!Directory.EnumerateFiles(folder, BeatsPattern).Any())
            return;
        string asked = Path.Combine(folder, AskedName);
        try
        {
            File.WriteAllText(asked, DateTime.UtcNow.Ticks.ToString(CultureInfo.InvariantCulture));
            var since = File.GetLastWriteTimeUtc(asked);
            string[] journals = [.. beats.Where(beat => !beat.HasEnded).Select(beat => RankMonitor.JournalPath(folder, beat.Rank))];
            for (var waited = TimeSpan.Zero; waited < Patience; waited += Poll)
            {
                if (journals.All(journal => File.GetLastWriteTimeUtc(journal) >= since))
                    break;
                Thread.Sleep(Poll);
            }
            File.Delete(asked);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            // Who may only read sees what was brought last.
        }
    }
}
