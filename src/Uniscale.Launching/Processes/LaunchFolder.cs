using System.Globalization;
using System.Text.Json;

namespace Uniscale.Launching.Processes;

/// <summary>Why a rank ended, as it wrote down itself or as its launcher saw it.</summary>
/// <param name="Rank">The rank.</param>
/// <param name="Host">Where it ran; empty if unknown.</param>
/// <param name="Time">When.</param>
/// <param name="Kind">Type of the exception, or what the launcher saw, such as <c>signal 9</c>.</param>
/// <param name="Message">What happened.</param>
/// <param name="IsUserError">True if the user's input is at fault.</param>
public sealed record RankFailure(int Rank, string Host, DateTimeOffset Time, string Kind, string Message, bool IsUserError)
{
    /// <summary>Kind of a job that stood still; its message names the ranks itself.</summary>
    public const string HangKind = "hang";

    /// <inheritdoc/>
    public override string ToString() => Rank < 0 || Kind == HangKind ? Message : $"rank {Rank}{(Host.Length > 0 ? $" on {Host}" : "")} failed first: {Message}";
}

/// <summary>A folder that the launcher and the ranks of one job share.</summary>
public sealed class LaunchFolder(string path)
{
    /// <summary>Tells ranks where the folder is.</summary>
    public const string Variable = "UNISCALE_LAUNCH_FOLDER";

    /// <summary>The folder.</summary>
    public string FullPath { get; } = path;

    /// <summary>The folder of the job that this process is a rank of; null when it was not started by <c>uniscale launch</c>.</summary>
    public static LaunchFolder? OfThisJob() =>
        Environment.GetEnvironmentVariable(Variable) is { Length: > 0 } path && Directory.Exists(path) ? new LaunchFolder(path) : null;

    /// <summary>Writes down a rank's failure; the first of a rank counts. A disk that is full must not hide the failure itself.</summary>
    public void Write(RankFailure failure)
    {
        string path = Path.Combine(FullPath, string.Create(CultureInfo.InvariantCulture, $"failure-{failure.Rank:D5}.json"));
        try
        {
            using var stream = new FileStream(path, FileMode.CreateNew);
            JsonSerializer.Serialize(stream, failure);
        }
        catch (IOException)
        {
            // The rank's own output still tells.
        }
    }

    /// <summary>Failures that ranks have written down, earliest first.</summary>
    public IReadOnlyList<RankFailure> Failures()
    {
        var failures = new List<RankFailure>();
        foreach (string path in Directory.EnumerateFiles(FullPath, "failure-*.json"))
            if (ReadOrNull(path) is { } failure) failures.Add(failure);
        return [.. failures.OrderBy(failure => failure.Time)];
    }

    private static RankFailure? ReadOrNull(string path)
    {
        try
        {
            return JsonSerializer.Deserialize<RankFailure>(File.ReadAllText(path));
        }
        catch (JsonException)
        {
            return null;
        }
    }
}
