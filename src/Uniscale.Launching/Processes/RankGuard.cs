using System.Globalization;

namespace Uniscale.Launching.Processes;

/// <summary>A rank that its guard has begun.</summary>
/// <param name="Rank">The rank.</param>
/// <param name="Host">Where it runs.</param>
/// <param name="ProcessId">The guard's process; the rank ends with it.</param>
internal sealed record BegunRank(int Rank, string Host, int ProcessId);

/// <summary>
/// The shell that stands between mpirun and each rank (<c>rank-guard.sh</c>) and its records: only a parent learns how a process ended, and
/// mpirun, which
/// is one, says it in other words in every version.
/// </summary>
internal static class RankGuard
{
    /// <summary>A shell gives the end by signal N as 128 + N; what is greater yet is a code of the program.</summary>
    private const int BySignal = 128,
        LastSignal = 64;

    /// <summary>The command that guards the one after it.</summary>
    public static IReadOnlyList<string> Command { get; } = ["sh", Path.Combine(AppContext.BaseDirectory, "rank-guard.sh")];

    /// <summary>Names of its records.</summary>
    public static IReadOnlyList<string> Files { get; } = ["rank-*.begun", "rank-*.exit"];

    /// <summary>Ranks that were begun.</summary>
    public static IReadOnlyList<BegunRank> Begun(string folder) =>
        [.. Records(folder, "begun").Select(record => new BegunRank(record.Rank, record.Host, record.Number))];

    /// <summary>Ranks that ended badly, without what they said themselves.</summary>
    public static IEnumerable<RankFailure> Failures(string folder) =>
        Records(folder, "exit")
            .Where(record => record.Number != 0)
            .Select(record => Failure(record.Rank, record.Host, record.Time, record.Number));

    /// <summary>Whether a shell's exit status means a signal.</summary>
    public static bool IsSignal(int status) => status is > BySignal and <= BySignal + LastSignal;

    /// <summary>The end of a process in words, by its status as a shell gives it.</summary>
    /// <param name="rank">Its rank; -1: it is none.</param>
    /// <param name="host">Where it ran.</param>
    /// <param name="time">When it ended.</param>
    /// <param name="status">Exit code, or 128 and the signal.</param>
    /// <param name="who">The process, in a sentence.</param>
    public static RankFailure Failure(int rank, string host, DateTimeOffset time, int status, string who = "it")
    {
        if (!IsSignal(status))
            return new(
                rank,
                host,
                time,
                string.Create(CultureInfo.InvariantCulture, $"exit {status}"),
                $"{who} exited with code {status}",
                IsUserError: false
            );
        int signal = status - BySignal;
        string name = SignalName(signal) is { } known ? $" ({known})" : "";
        return new(
            rank,
            host,
            time,
            string.Create(CultureInfo.InvariantCulture, $"signal {signal}"),
            $"{who} was ended by signal {signal}{name}",
            IsUserError: false
        )
        {
            // Those that mpirun and people send end a job; they are not what it failed of.
            WasKilled = signal is not (1 or 2 or 10 or 12 or 15),
        };
    }

    private static string? SignalName(int signal) =>
        signal switch
        {
            1 => "Hangup",
            2 => "Interrupt",
            4 => "Illegal instruction",
            6 => "Aborted",
            7 => "Bus error",
            8 => "Floating point exception",
            9 => "Killed",
            11 => "Segmentation fault",
            15 => "Terminated",
            _ => null,
        };

    /// <summary>
    /// Files <c>rank-NNNNN.KIND</c> that hold a number and a host. The time is the file's own, so that hosts with other clocks agree.
    /// </summary>
    private static IEnumerable<(int Rank, string Host, int Number, DateTimeOffset Time)> Records(string folder, string kind)
    {
        foreach (string path in Directory.EnumerateFiles(folder, $"rank-*.{kind}"))
        {
            string[] words = File.ReadAllText(path).Split((char[])[' ', '\n'], StringSplitOptions.RemoveEmptyEntries);
            // One that is just being written has no words yet.
            if (words.Length == 2 && int.TryParse(words[0], CultureInfo.InvariantCulture, out int number))
                yield return (
                    int.Parse(Path.GetFileNameWithoutExtension(path)["rank-".Length..], CultureInfo.InvariantCulture),
                    words[1],
                    number,
                    File.GetLastWriteTimeUtc(path)
                );
        }
    }
}
