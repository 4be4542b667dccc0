using System.Text;
using System.Text.Json;
using Uniscale.Configuration;
using Uniscale.Dashboard.Safety;

namespace Uniscale.Dashboard.Reading;

/// <summary>The configuration that a checkpoint was saved with, from the head of its manifest.</summary>
internal static class CheckpointConfiguration
{
    private const int HeadBytes = 256 << 10;

    /// <summary>Folder of the run that saved a checkpoint, as it was named then; null: it cannot be told.</summary>
    public static string? DirectoryOf(RunsFolder door, string run, string checkpoint)
    {
        if (Read(door, Path.Combine(run, "checkpoints", checkpoint)) is not { } yaml)
            return null;
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

    private static string? Read(RunsFolder door, string checkpoint)
    {
        try
        {
            if (ManifestHead.Read(door, checkpoint, HeadBytes) is not { } bytes)
                return null;
            var reader = new Utf8JsonReader(bytes, isFinalBlock: false, default);
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
