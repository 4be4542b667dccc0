using Uniscale.Data;

namespace Uniscale.Training.Runs;

/// <summary>Finds the tokenizer of a run from any working directory.</summary>
public static class RunTokenizer
{
    /// <summary>
    /// The file: the copy that a run keeps in its own folder, or the path of the configuration where that is there from here; null:
    /// neither.
    /// </summary>
    /// <param name="run">Folder of a run, its checkpoints directory, or one checkpoint.</param>
    /// <param name="configured">The path of the configuration, relative to where the run was started.</param>
    public static string? Find(string run, string configured)
    {
        for (
            var (folder, levels) = (new DirectoryInfo(Path.GetFullPath(run)), 0);
            folder is not null && levels < 3;
            (folder, levels) = (folder.Parent, levels + 1)
        )
        {
            if (TokenizerFiles.Find(folder.FullName) is { } own && File.Exists(Path.Combine(folder.FullName, RunFolder.ConfigurationFile)))
                return own;
        }
        return File.Exists(configured) ? configured : null;
    }
}
