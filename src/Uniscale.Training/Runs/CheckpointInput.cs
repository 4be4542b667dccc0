using Uniscale.Checkpoints;
using Uniscale.Checkpoints.Catalog;
using Uniscale.Checkpoints.Format;
using Uniscale.Checkpoints.Loading;
using Uniscale.Configuration;

namespace Uniscale.Training.Runs;

/// <summary>Checkpoints and weights that a user names: what is wrong with them is the user's to mend, in one sentence.</summary>
public static class CheckpointInput
{
    /// <summary>The folder of checkpoints that a path means: of a run, wherever its configuration has them.</summary>
    public static string DirectoryOf(string path) =>
        Directory.Exists(path)
            ? RunFolder.CheckpointsOf(path) ?? CheckpointCatalog.DirectoryOf(path)
            : throw new UserErrorException($"There is no folder {path}: name a run's folder, its checkpoints directory or a checkpoint.");

    /// <summary>The folder of the checkpoint that a path means.</summary>
    public static string Find(string path, long? step)
    {
        string directory = DirectoryOf(path);
        return Given(() => CheckpointCatalog.Find(step is null && CheckpointCatalog.IsCheckpoint(path) ? path : directory, step));
    }

    /// <summary>The checkpoint that a path means, with marker, manifest and sizes proved.</summary>
    public static CheckpointReader Open(string path, long? step)
    {
        string folder = Find(path, step);
        return Given(() => CheckpointReader.Open(folder));
    }

    /// <summary>The configuration that a checkpoint was saved with.</summary>
    public static RunConfiguration ConfigurationOf(CheckpointReader checkpoint) =>
        ConfigurationLoader
            .ParseStored(checkpoint.Manifest.ConfigurationYaml, null, Path.Combine(checkpoint.Folder, CheckpointManifest.FileName))
            .Value;

    /// <summary>Reads what the user gave: damage and mismatch become the user's error.</summary>
    public static T Given<T>(Func<T> read)
    {
        try
        {
            return read();
        }
        catch (CheckpointException failure)
        {
            throw new UserErrorException($"{failure.Message.TrimEnd('.')}.", failure);
        }
    }
}
