using System.Text.Json;
using Uniscale.Checkpoints.Format;
using Uniscale.Data;

namespace Uniscale.Training.Feeding;

/// <summary>Whether a checkpoint was fed with the present data, and which source differs.</summary>
public static class DataChange
{
    /// <summary>Name of the sources' digests among what a checkpoint keeps.</summary>
    private const string SourcesKey = "sources";

    /// <summary>The sources' digests for a checkpoint to keep.</summary>
    public static IEnumerable<KeyValuePair<string, string>> ToExtra(ISequenceSource data) =>
        data.SourceFingerprints.Count == 0 ? [] : [new(SourcesKey, JsonSerializer.Serialize(data.SourceFingerprints))];

    /// <summary>Whether what was fed until the checkpoint is what the data gives. An imported model was fed nothing.</summary>
    public static bool IsSame(CheckpointManifest manifest, ISequenceSource data) =>
        manifest is { ConsumedTokens: 0, DataFingerprint: "" } || manifest.DataFingerprint == data.FingerprintAt(manifest.ConsumedTokens);

    /// <summary>What differs, in one sentence.</summary>
    public static string Sentence(CheckpointManifest manifest, ISequenceSource data)
    {
        const string WhatToDo = "continue with the data, mixture and seed of the run, or start a new run";
        var (before, now) = (SourcesOf(manifest), data.SourceFingerprints);
        string[] changed =
        [
            .. before
                .Where(source => now.TryGetValue(source.Key, out string? digest) && digest != source.Value)
                .Select(source => $"'{source.Key}'"),
        ];
        string[] gone = [.. before.Keys.Except(now.Keys).Select(name => $"'{name}'")];
        return changed.Length > 0
                ? $"The shards of data source {string.Join(", ", changed)} are not those that the checkpoint of step {manifest.Step} was fed from: {WhatToDo}."
            : gone.Length > 0
                ? $"The checkpoint of step {manifest.Step} was fed from data source {string.Join(", ", gone)}, which is not there now: {WhatToDo}."
            : $"The training data or its order (data.window, phases, mixture) is not that of the checkpoint of step {manifest.Step}: {WhatToDo}.";
    }

    private static Dictionary<string, string> SourcesOf(CheckpointManifest manifest)
    {
        try
        {
            return manifest.Extra.TryGetValue(SourcesKey, out string? text)
                ? JsonSerializer.Deserialize<Dictionary<string, string>>(text) ?? []
                : [];
        }
        catch (JsonException)
        {
            return [];
        }
    }
}
