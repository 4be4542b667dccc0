using System.Globalization;

namespace Uniscale.Launching.Processes;

/// <summary>
/// Shared memory that an MPI makes for the ranks of a host, as files that it removes when a job ends in order. Those of a rank that is
/// killed would stay until
/// the machine starts anew: each rank writes down which it has, and its guard and the launcher remove them.
/// </summary>
internal static class SharedSegments
{
    private const string Place = "/dev/shm/",
        Pattern = "rank-*.shm";

    /// <summary>Names of the shared segments that this process can write to now.</summary>
    public static IReadOnlySet<string> OfThisProcess() =>
        Mapped(File.ReadLines("/proc/self/maps").Where(line => line.Contains(" rw-s ", StringComparison.Ordinal)));

    /// <summary>Writes down segments of a rank of this host.</summary>
    public static void Write(string folder, int rank, IEnumerable<string> names)
    {
        try
        {
            File.WriteAllLines(
                Path.Combine(folder, string.Create(CultureInfo.InvariantCulture, $"rank-{rank:D5}.shm")),
                names.Select(name => $"{Environment.MachineName} {name}")
            );
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            // On a full disk the segments of a rank that is killed stay.
        }
    }

    /// <summary>Removes what ranks of this host have left, of jobs that are over: what a process still has, whose ever, stays.</summary>
    /// <param name="folder">Launch folder of an attempt.</param>
    public static void Remove(string folder)
    {
        string[] left =
        [
            .. Directory
                .EnumerateFiles(folder, Pattern)
                .SelectMany(File.ReadLines)
                .Where(line => line.StartsWith($"{Environment.MachineName} ", StringComparison.Ordinal))
                .Select(line => line[(Environment.MachineName.Length + 1)..])
                .Where(name => !name.Contains('/') && File.Exists(Place + name))
                .Distinct(),
        ];
        if (left.Length == 0)
            return;
        var used = Directory.EnumerateDirectories("/proc").SelectMany(process => Mapped(MapsOf(process))).ToHashSet();
        foreach (string name in left.Except(used))
        {
            try
            {
                File.Delete(Place + name);
            }
            catch (Exception error) when (error is IOException or UnauthorizedAccessException)
            {
                // It is another user's by now.
            }
        }
    }

    private static HashSet<string> Mapped(IEnumerable<string> maps) =>
        [
            .. maps.Select(line =>
                    line.IndexOf(Place, StringComparison.Ordinal) is >= 0 and var at
                    && !line.EndsWith("(deleted)", StringComparison.Ordinal)
                        ? line[(at + Place.Length)..]
                        : ""
                )
                .Where(name => name.Length > 0 && !name.Contains('/')),
        ];

    private static string[] MapsOf(string process)
    {
        try
        {
            return char.IsAsciiDigit(Path.GetFileName(process)[0]) ? File.ReadAllLines(Path.Combine(process, "maps")) : [];
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            return [];
        }
    }
}
