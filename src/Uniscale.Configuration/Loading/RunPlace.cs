namespace Uniscale.Configuration.Loading;

/// <summary>
/// The configuration that a run stored, read where the run is now: its folder may have been moved, copied or mounted elsewhere since, or
/// the command be called
/// from another working directory. An override still says otherwise.
/// </summary>
internal static class RunPlace
{
    private const string RunKey = "run_directory",
        CheckpointSection = "checkpoint",
        DirectoryKey = "directory";

    /// <summary>The configuration with the run, and the checkpoints that lie in it, in a folder.</summary>
    public static MapNode Apply(MapNode root, string folder)
    {
        var origin = new Origin.InRunFolder(folder);
        string stored = TextOf(root[RunKey]) ?? Path.Combine("runs", TextOf(root["name"]) ?? "run");
        var moved = root.With(new MapEntry(RunKey, origin, new ScalarNode(folder, false, origin)));
        if (root[CheckpointSection] is not MapNode section || TextOf(section[DirectoryKey]) is not { } checkpoints)
            return moved;
        string inside = Path.GetRelativePath(Path.GetFullPath(stored), Path.GetFullPath(checkpoints));
        if (inside == ".." || inside.StartsWith("../", StringComparison.Ordinal) || Path.IsPathRooted(inside))
            return moved;
        var place = new ScalarNode(Path.GetFullPath(Path.Combine(folder, inside)), false, origin);
        return moved.With(new MapEntry(CheckpointSection, section.Origin, section.With(new MapEntry(DirectoryKey, origin, place))));
    }

    private static string? TextOf(ConfigNode? node) => node is ScalarNode { IsNull: false } scalar ? scalar.Text : null;
}
