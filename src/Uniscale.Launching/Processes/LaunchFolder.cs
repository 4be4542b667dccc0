using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;
using Uniscale.Launching.Slurm;
using Uniscale.Launching.Supervision;

namespace Uniscale.Launching.Processes;

/// <summary>Why a rank ended, as it wrote down itself or as its guard saw it.</summary>
/// <param name="Rank">The rank.</param>
/// <param name="Host">Where it ran; empty if unknown.</param>
/// <param name="Time">When.</param>
/// <param name="Kind">Type of the exception, or what the guard saw, such as <c>signal 9</c>.</param>
/// <param name="Message">What happened.</param>
/// <param name="IsUserError">True if the user's input is at fault.</param>
public sealed record RankFailure(int Rank, string Host, DateTimeOffset Time, string Kind, string Message, bool IsUserError)
{
    /// <summary>Kind of a job that stood still; its message names the ranks itself.</summary>
    public const string HangKind = "hang";

    /// <summary>Kind of a job whose ranks did not all come; its message names them itself.</summary>
    public const string StartKind = "start";

    /// <summary>Kind of a job whose preflight refuses nodes; its message names them itself.</summary>
    public const string PreflightKind = "preflight";

    /// <summary>Hosts that are at fault for certain, and are to be left out at once.</summary>
    public IReadOnlyList<string> Refused { get; init; } = [];

    /// <summary>True if a crash or a kill ended it, so that it could not say why.</summary>
    [JsonIgnore]
    public bool WasKilled { get; init; }

    /// <summary>True if the process gave itself up, as communication libraries do that miss a peer.</summary>
    [JsonIgnore]
    public bool WasAborted => Kind == "signal 6";

    /// <inheritdoc/>
    public override string ToString() =>
        Rank < 0 || Kind is HangKind or StartKind or PreflightKind
            ? Message
            : $"rank {Rank}{(Host.Length > 0 ? $" on {Host}" : "")} failed first: {Message}";
}

/// <summary>A folder that the launcher and the ranks of one job share.</summary>
public sealed class LaunchFolder(string path)
{
    /// <summary>Tells ranks where the folder is.</summary>
    public const string Variable = "UNISCALE_LAUNCH_FOLDER";

    /// <summary>Name of the file with the host of each rank, one a line, where srun places them.</summary>
    internal const string TasksFileName = "tasks";

    private const string AskedFileName = "asked-to-end";

    private const string Reports = "failure-*.json";

    /// <summary>In this time a library that misses a peer notices it.</summary>
    private static readonly TimeSpan PeersNotice = TimeSpan.FromSeconds(2);

    private readonly string _launcherFile = Path.Combine(path, "mpirun");

    /// <summary>The folder.</summary>
    public string FullPath { get; } = path;

    /// <summary>The process of mpirun; null where it is not on this host.</summary>
    public int? Mpirun
    {
        get =>
            File.ReadAllText(_launcherFile).Split(' ') is [var process, var host] && host == Environment.MachineName
                ? int.Parse(process, CultureInfo.InvariantCulture)
                : null;
        internal set => File.WriteAllText(_launcherFile, string.Create(CultureInfo.InvariantCulture, $"{value} {Environment.MachineName}"));
    }

    /// <summary>The folder of the job that this process is a rank of; null when it was not started by <c>uniscale launch</c>.</summary>
    public static LaunchFolder? OfThisJob() =>
        Environment.GetEnvironmentVariable(Variable) is { Length: > 0 } path && Directory.Exists(path) ? new LaunchFolder(path) : null;

    /// <summary>Writes down that a rank calls MPI's start, in which it waits for the others.</summary>
    public void SayJoining(int rank) => File.Create(JoiningPath(rank)).Dispose();

    /// <summary>Whether a rank has come to MPI's start.</summary>
    internal bool IsJoining(int rank) => File.Exists(JoiningPath(rank));

    /// <summary>
    /// Writes down that a rank was asked by a signal to save and end, from wherever it came. A full disk is passed over: then the job
    /// counts as finished.
    /// </summary>
    public void SayAsked()
    {
        try
        {
            File.Create(Path.Combine(FullPath, AskedFileName)).Dispose();
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            // The rank ends all the same.
        }
    }

    /// <summary>Whether a signal has asked a rank to save and end.</summary>
    internal bool WasAsked => File.Exists(Path.Combine(FullPath, AskedFileName));

    /// <summary>Writes down a rank's failure; the first of a rank counts.</summary>
    /// <returns>Whether it stands there; on a full disk it does not, and the rank has to say it itself.</returns>
    public bool Write(RankFailure failure)
    {
        string path = Path.Combine(FullPath, string.Create(CultureInfo.InvariantCulture, $"failure-{failure.Rank:D5}.json"));
        try
        {
            using var stream = new FileStream(path, FileMode.CreateNew);
            JsonSerializer.Serialize(stream, failure);
            return true;
        }
        catch (IOException)
        {
            return File.Exists(path) && ReadOrNull(path) is not null;
        }
    }

    /// <summary>Failures of ranks, earliest first: what a rank has written down itself, else what its guard saw.</summary>
    public IReadOnlyList<RankFailure> Failures()
    {
        var failures = Directory
            .EnumerateFiles(FullPath, Reports)
            .Select(ReadOrNull)
            .OfType<RankFailure>()
            .ToDictionary(failure => failure.Rank);
        foreach (var seen in RankGuard.Failures(FullPath))
            failures.TryAdd(seen.Rank, seen);
        return [.. failures.Values.OrderBy(failure => failure.Time)];
    }

    /// <summary>
    /// The failure that the others came of. A rank that was killed says nothing, and those that miss it may speak, or be aborted by their
    /// communication library,
    /// before its guard does.
    /// </summary>
    public RankFailure? First()
    {
        var failures = Failures();
        if (failures.FirstOrDefault(failure => failure.WasKilled) is not { } killed)
            return failures.Count > 0 ? failures[0] : null;
        return failures.FirstOrDefault(failure =>
                failure is { WasKilled: true, WasAborted: false } && failure.Time - killed.Time < PeersNotice
            ) ?? killed;
    }

    /// <summary>Takes away what an earlier job has left.</summary>
    internal void Clear()
    {
        foreach (
            string old in (string[])
                [
                    Reports,
                    "rank-*.joining",
                    "rank-*.shm",
                    SlurmJob.StepFileName,
                    AskedFileName,
                    NodeSigns.BeatsPattern,
                    NodeSigns.AskedName,
                    .. RankGuard.Files,
                ]
        )
            foreach (string path in Directory.EnumerateFiles(FullPath, old))
                File.Delete(path);
    }

    private string JoiningPath(int rank) => Path.Combine(FullPath, string.Create(CultureInfo.InvariantCulture, $"rank-{rank:D5}.joining"));

    private static RankFailure? ReadOrNull(string path)
    {
        try
        {
            return JsonSerializer.Deserialize<RankFailure>(File.ReadAllText(path)) is { } failure
                ? failure with
                {
                    Time = File.GetLastWriteTimeUtc(path),
                }
                : null;
        }
        catch (JsonException)
        {
            return null;
        }
    }
}
