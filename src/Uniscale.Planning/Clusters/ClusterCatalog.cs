using Uniscale.Configuration;

namespace Uniscale.Planning.Clusters;

/// <summary>The clusters that ship with the program, and those of the user's files.</summary>
public static class ClusterCatalog
{
    /// <summary>Fitted constants of a stack at most: with more, any row can be met and nothing is predicted.</summary>
    private const int MostFree = 6;

    private static string Folder => Path.Combine(AppContext.BaseDirectory, "clusters");

    /// <summary>Names of the clusters that ship with the program.</summary>
    public static IReadOnlyList<string> Names =>
        Directory.Exists(Folder)
            ? [.. Directory.GetFiles(Folder, "*.yaml").Select(file => Path.GetFileNameWithoutExtension(file)).Order(StringComparer.Ordinal)]
            : [];

    /// <summary>A cluster by its name, or by the path of its file.</summary>
    /// <exception cref="UserErrorException">There is none, or its file is wrong.</exception>
    public static Cluster Load(string nameOrFile)
    {
        string shipped = Path.Combine(Folder, nameOrFile + ".yaml");
        bool isShipped = Path.GetFileName(nameOrFile) == nameOrFile && File.Exists(shipped);
        if (!isShipped && !File.Exists(nameOrFile))
            throw new UserErrorException(
                $"There is no cluster '{nameOrFile}', by name or as a file{Uniscale.Configuration.Schema.Names.Hint(nameOrFile, [.. Names])}"
            );
        string path = isShipped ? shipped : nameOrFile;
        var file = ConfigurationLoader.Read<ClusterFile>(path, "the cluster");
        string place = isShipped ? $"cluster {nameOrFile}" : nameOrFile;
        if (file.Name.Length == 0)
            throw new UserErrorException($"{place} has no name: give it one.");
        foreach (var stack in file.Stacks)
            Check(stack, place);
        return new Cluster(file, place);
    }

    private static void Check(StackSection stack, string place)
    {
        string at = $"{place}: stack '{stack.Name}'";
        if (stack.Source.Length == 0)
            throw new UserErrorException($"{at} has no source: say what its constants were fitted on.");
        if (stack.ConstantsOf.Length > 0)
            return;
        if (stack.Free.Count > MostFree)
            throw new UserErrorException(
                $"{at} has {stack.Free.Count} fitted constants: keep at most {MostFree}, and take the others from a source."
            );
        var c = stack.Constants;
        foreach (
            var (name, share) in new[]
            {
                ("matmul", c.Matmul),
                ("memory", c.Memory),
                ("full_node", c.FullNode),
                ("node_link", c.NodeLink),
                ("fabric_link", c.FabricLink),
            }
        )
            if (!(share is > 0 and <= 1.5))
                throw new UserErrorException(
                    $"{at}: constants.{name} is {share}, but must be a share of the peak, above 0 and at most 1.5."
                );
        if (c.Overhead < 0 || c.StepOverhead < 0)
            throw new UserErrorException($"{at}: constants.overhead and step_overhead must not be negative.");
    }
}
