using System.Text;
using System.Text.Json;
using Uniscale.Configuration;
using Uniscale.Dashboard.Safety;

namespace Uniscale.Dashboard.Reading;

/// <summary>
/// Which run another was forked from: a fork has fork.yaml, and its first checkpoint still holds the configuration of the run that saved
/// it.
/// </summary>
internal static class ForkLineage
{
    private const int LongestFork = 1 << 20,
        HeadBytes = 256 << 10;

    /// <summary>Folder of the run that a run was forked from, as it was then; null: it is no fork, or cannot be told.</summary>
    public static string? OriginOf(RunsFolder door, string run)
    {
        if (door.Text(run, "fork.yaml", LongestFork) is null)
            return null;
        string checkpoints = Path.Combine(run, "checkpoints");
        foreach (string name in door.Folders(checkpoints, "step-*"))
            if (ConfigurationOf(door, Path.Combine(checkpoints, name)) is { } yaml && DirectoryOf(yaml) is { } origin && origin != run)
                return origin;
        return null;
    }

    /// <summary>Runs that were forked from a run.</summary>
    public static IReadOnlyList<FoundFolder> ForksOf(RunCatalog catalog, FoundFolder run) =>
        [
            .. catalog
                .Folders()
                .Where(other =>
                    !other.IsSweep && other.Id != run.Id && OriginOf(catalog.Door, other.FullPath) is { } origin && IsAt(origin, run)
                ),
        ];

    private static bool IsAt(string origin, FoundFolder run) => Path.TrimEndingDirectorySeparator(origin) == run.FullPath;

    private static string? DirectoryOf(string yaml)
    {
        try
        {
            var values = ConfigurationDifference.ValuesOf(yaml);
            return values.GetValueOrDefault("run_directory") is { Length: > 0 } directory and not "null"
                ? directory
                : values.GetValueOrDefault("name");
        }
        catch (UserErrorException)
        {
            return null;
        }
    }

    private static string? ConfigurationOf(RunsFolder door, string checkpoint)
    {
        try
        {
            using var stream = door.Open(checkpoint, "manifest.json");
            if (stream is null)
                return null;
            byte[] bytes = new byte[Math.Min(HeadBytes, stream.Length)];
            var reader = new Utf8JsonReader(
                bytes.AsSpan(0, stream.ReadAtLeast(bytes, bytes.Length, throwOnEndOfStream: false)),
                isFinalBlock: false,
                default
            );
            while (reader.Read())
                if (reader.TokenType == JsonTokenType.PropertyName && Encoding.UTF8.GetString(reader.ValueSpan) == "configuration_yaml")
                    return reader.Read() ? reader.GetString() : null;
        }
        catch (Exception error) when (RunsFolder.IsOfFile(error) || error is JsonException or InvalidOperationException)
        {
            // Then it cannot be told.
        }
        return null;
    }
}
