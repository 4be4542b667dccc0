using Uniscale.Checkpoints.Format;
using Uniscale.Checkpoints.Memory;

namespace Uniscale.Checkpoints.Saving;

/// <summary>What rank 0 does once every rank is durable: manifest, marker, final name, retention.</summary>
internal sealed class Committer(string directory, CheckpointOptions options)
{
    /// <summary>Makes the temporary folder a checkpoint.</summary>
    /// <param name="state">What was saved.</param>
    /// <param name="plan">Where its tensors lie.</param>
    /// <param name="attempt">The save.</param>
    /// <param name="tableDigests">Digest of the digests of each rank.</param>
    public void Commit(CheckpointState state, WorldPlan plan, string attempt, IReadOnlyList<string> tableDigests)
    {
        string folder = CheckpointFolders.Partial(directory, state.Step, attempt);
        var known = CheckpointFolders.Scan(directory);
        long ordinal = known.Count == 0 ? 1 : Math.Max(0, known.Max(other => other.Marker?.Ordinal ?? 0)) + 1;
        byte[] json = ManifestJson.Write(Describe(state, plan, tableDigests, ordinal));
        DurableFile.Write(Path.Combine(folder, CheckpointManifest.FileName), json, isPrivate: true);
        options.Probe?.Invoke(SavePoint.ManifestWritten);

        var marker = new CommitMarker(state.Step, ordinal, state.Keep, attempt, json.Length, Digest.Of(json));
        DurableFile.Write(Path.Combine(folder, CommitMarker.FileName), marker.ToBytes());
        options.Probe?.Invoke(SavePoint.MarkerWritten);

        CheckpointFolders.Publish(directory, state.Step, attempt);
        options.Probe?.Invoke(SavePoint.Renamed);
    }

    internal StoredManifest2 Describe(CheckpointState state, WorldPlan plan, IReadOnlyList<string> tableDigests, long ordinal) =>
        new()
        {
            FormatVersion = CheckpointManifest.CurrentFormat,
            Step = state.Step,
            Ordinal = ordinal,
            Keep = state.Keep,
            ConsumedTokens = state.ConsumedTokens,
            SavedAt = DateTimeOffset.UtcNow,
            CodeVersion = options.CodeVersion,
            WorldSize = plan.WorldSize,
            ConfigurationHash = state.ConfigurationHash,
            DataFingerprint = state.DataFingerprint,
            ChunkBytes = Digest.ChunkBytes,
            ConfigurationYaml = state.ConfigurationYaml,
            Extra = state.Extra,
            Files = plan.Files,
            Shards = plan.Shards(tableDigests),
            Tilings = plan.Tilings,
            Tensors = plan.Tensors,
        };
}
