using System.Text.RegularExpressions;
using Uniscale.Configuration;
using Uniscale.Launching.Processes;

namespace Uniscale.Cli;

/// <summary>
/// What the file system refuses a user: a full disk, a place that cannot be written, a file where a folder is needed. It is nobody's
/// fault in the code, so it is said with what to do, and ends with the exit code of input.
/// </summary>
internal static partial class FileFailure
{
    // Numbers of Linux, which .NET hands on as they are.
    private const int Exists = 17,
        IsFolder = 21,
        NoSpace = 28,
        ReadOnly = 30,
        NoQuota = 122;

    /// <summary>
    /// The sentence for such a failure; null: it is another. A rank that a launcher watches keeps its own words and code, by which it is
    /// started again: the place may be there by then.
    /// </summary>
    public static string? Explain(Exception failure)
    {
        if (failure is UserErrorException || Environment.GetEnvironmentVariable(LaunchFolder.Variable) is not null)
            return null;
        for (var cause = failure; cause is not null; cause = cause.InnerException)
            if (Advice(cause) is { } advice)
                return $"{failure.Message.TrimEnd('.')}: {advice}.";
        return null;
    }

    private static string? Advice(Exception cause) =>
        cause switch
        {
            UnauthorizedAccessException when Directory.Exists(PathIn(cause.Message)) => "it is a folder: name a file",
            UnauthorizedAccessException => "take the right to it, or name another place",
            PathTooLongException => "name a shorter path",
            // .NET lists a name in another encoding with U+FFFD in it, and finds nothing under that.
            FileNotFoundException or DirectoryNotFoundException when PathIn(cause.Message).Contains('\uFFFD', StringComparison.Ordinal) =>
                "its name is not UTF-8: give it another",
            DirectoryNotFoundException when FileInTheWay(cause.Message) is { } file => $"{file} is a file, where a folder is needed",
            // Where room is reserved in advance, .NET gives no number.
            IOException when cause.Message.Contains("because the disk was full", StringComparison.Ordinal) =>
                "make room there, or name another place",
            IOException { HResult: NoSpace or NoQuota } => "make room there, or name another place",
            IOException { HResult: ReadOnly } => "name a place that can be written",
            IOException { HResult: Exists } => "name another place, or take it away",
            IOException { HResult: IsFolder } => "name a file",
            _ => null,
        };

    /// <summary>The file within the path of a message, below which nothing can be.</summary>
    private static string? FileInTheWay(string message)
    {
        for (string? path = PathIn(message); !string.IsNullOrEmpty(path); path = Path.GetDirectoryName(path))
            if (File.Exists(path))
                return path;
        return null;
    }

    private static string PathIn(string message) => Quoted().Match(message).Groups[1].Value;

    [GeneratedRegex("'(.+)'")]
    private static partial Regex Quoted();
}
