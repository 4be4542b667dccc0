using System.Globalization;
using System.Text;
using System.Text.Json;
using Uniscale.Dashboard.Safety;

namespace Uniscale.Dashboard.Reading;

/// <summary>
/// A checkpoint in a run's folder, by its marker, the sizes of its files and the head of its manifest; no tensor is read.
/// </summary>
/// <param name="Ordinal">Number of the save within the run; null: the marker is missing or damaged.</param>
/// <param name="IsKept">Retention never lets it go.</param>
/// <param name="Damage">What a load, or this look, found; null: nothing.</param>
/// <param name="SavedAt">When; null: not told.</param>
/// <param name="WorldSize">Ranks that wrote it; null: not told.</param>
public sealed record CheckpointView(
    string Name,
    long Step,
    long? Ordinal,
    bool IsKept,
    string? Damage,
    long SizeBytes,
    long? Tokens,
    DateTimeOffset? SavedAt,
    long? WorldSize
)
{
    private const int HeadBytes = 64 << 10,
        MarkerBytes = 4_096;

    private const string Folder = "checkpoints";

    /// <summary>All checkpoints of a run, the newest first.</summary>
    internal static IReadOnlyList<CheckpointView> List(RunsFolder door, string run)
    {
        string folder = Path.Combine(run, Folder);
        return
        [
            .. Steps(door, folder)
                .Select(found => Read(door, Path.Combine(folder, found.Name), found.Name, found.Step))
                .OrderByDescending(view => view.Ordinal ?? -1)
                .ThenByDescending(view => view.Step),
        ];
    }

    /// <summary>Step of the newest checkpoint with a marker; null: there is none.</summary>
    internal static long? NewestStep(RunsFolder door, string run)
    {
        string folder = Path.Combine(run, Folder);
        foreach (var (name, step) in Steps(door, folder).OrderByDescending(found => found.Step))
            if (Marker(door, Path.Combine(folder, name)) is not null)
                return step;
        return null;
    }

    private static IEnumerable<(string Name, long Step)> Steps(RunsFolder door, string folder)
    {
        foreach (string name in door.Folders(folder, "step-*"))
            if (long.TryParse(name.AsSpan(5), NumberStyles.None, CultureInfo.InvariantCulture, out long step))
                yield return (name, step);
    }

    /// <summary>What names a save wherever its checkpoint was copied to; null: there is no marker, or it is no marker.</summary>
    internal static string? SaveOf(RunsFolder door, string run, string name) =>
        Marker(door, Path.Combine(run, Folder, name)) is { } marker ? $"{marker.Attempt} {marker.Manifest}" : null;

    /// <summary>Folders of a run's checkpoints by their steps, the least first.</summary>
    internal static IReadOnlyList<(string Name, long Step)> Folders(RunsFolder door, string run) =>
        [.. Steps(door, Path.Combine(run, Folder)).OrderBy(found => found.Step)];

    private static CheckpointView Read(RunsFolder door, string folder, string name, long step)
    {
        var marker = Marker(door, folder);
        string? damage = door.Text(folder, "damaged.txt", HeadBytes)?.Trim() ?? DamageOf(door, folder, marker);
        var (tokens, saved, world) = Head(door, folder);
        return new CheckpointView(name, step, marker?.Ordinal, marker?.IsKept == true, damage, Size(door, folder), tokens, saved, world);
    }

    /// <summary>What is seen without reading: a marker that is missing, a manifest of another size than it had.</summary>
    private static string? DamageOf(RunsFolder door, string folder, CommitLines? marker)
    {
        if (marker is null)
            return "its commit marker is missing or damaged";
        using var manifest = door.Open(folder, "manifest.json");
        return manifest is null ? "its manifest is missing"
            : manifest.Length != marker.ManifestBytes
                ? string.Create(CultureInfo.InvariantCulture, $"its manifest has {manifest.Length} bytes in place of {marker.ManifestBytes}")
            : null;
    }

    private static CommitLines? Marker(RunsFolder door, string folder)
    {
        if (door.Text(folder, "COMMITTED", MarkerBytes)?.Split('\n') is not ([var magic, ..] and var lines))
            return null;
        string[] manifest = Value("manifest").Split(' ');
        return
            magic.StartsWith("uniscale-checkpoint", StringComparison.Ordinal)
            && long.TryParse(Value("ordinal"), NumberStyles.None, CultureInfo.InvariantCulture, out long ordinal)
            && long.TryParse(manifest[0], NumberStyles.None, CultureInfo.InvariantCulture, out long bytes)
            ? new CommitLines(ordinal, Value("keep") == "1", Value("attempt"), bytes, manifest[^1])
            : null;

        string Value(string name) =>
            lines.FirstOrDefault(line => line.StartsWith(name + " ", StringComparison.Ordinal)) is { } line
                ? line[(name.Length + 1)..]
                : "";
    }

    private static long Size(RunsFolder door, string folder)
    {
        long size = 0;
        foreach (string file in door.Files(folder, "*"))
        {
            try
            {
                size += new FileInfo(Path.Combine(folder, file)).Length;
            }
            catch (Exception error) when (RunsFolder.IsOfFile(error))
            {
                // Retention takes it away just now.
            }
        }
        return size;
    }

    /// <summary>The fields before the tensors; a manifest may have hundreds of megabytes.</summary>
    private static (long? Tokens, DateTimeOffset? Saved, long? World) Head(RunsFolder door, string folder)
    {
        (long? Tokens, DateTimeOffset? Saved, long? World) head = default;
        try
        {
            if (ManifestHead.Read(door, folder, HeadBytes) is not { } bytes)
                return head;
            var reader = new Utf8JsonReader(bytes, isFinalBlock: false, default);
            while (reader.Read())
            {
                if (reader.TokenType != JsonTokenType.PropertyName || reader.CurrentDepth != 1)
                    continue;
                string name = Encoding.UTF8.GetString(reader.ValueSpan);
                if (!reader.Read())
                    break;
                if (name == "consumed_tokens" && reader.TryGetInt64(out long tokens))
                    head.Tokens = tokens;
                else if (name == "world_size" && reader.TryGetInt64(out long world))
                    head.World = world;
                else if (name == "saved_at" && reader.TryGetDateTimeOffset(out var saved))
                    head.Saved = saved;
            }
        }
        catch (Exception error) when (RunsFolder.IsOfFile(error) || error is JsonException or InvalidOperationException)
        {
            // What was read until then counts.
        }
        return head;
    }

    /// <summary>What a commit marker says (docs/reference/checkpoints.md).</summary>
    private sealed record CommitLines(long Ordinal, bool IsKept, string Attempt, long ManifestBytes, string Manifest);
}
