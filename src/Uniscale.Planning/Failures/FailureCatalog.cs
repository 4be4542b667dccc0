using Uniscale.Configuration;
using Uniscale.Configuration.Schema;

namespace Uniscale.Planning.Failures;

/// <summary>Failure rates that ship with the program, and those of the user's files.</summary>
public static class FailureCatalog
{
    private static string Folder => Path.Combine(AppContext.BaseDirectory, "failures");

    /// <summary>Names of the rates that ship with the program.</summary>
    public static IReadOnlyList<string> Names =>
        Directory.Exists(Folder)
            ? [.. Directory.GetFiles(Folder, "*.yaml").Select(file => Path.GetFileNameWithoutExtension(file)).Order(StringComparer.Ordinal)]
            : [];

    /// <summary>Rates by their name, or by the path of their file.</summary>
    /// <exception cref="UserErrorException">There are none, or their file is wrong.</exception>
    public static FailureFile Load(string nameOrFile)
    {
        string shipped = Path.Combine(Folder, nameOrFile + ".yaml");
        bool isShipped = Path.GetFileName(nameOrFile) == nameOrFile && File.Exists(shipped);
        if (!isShipped && !File.Exists(nameOrFile))
            throw new UserErrorException(
                $"There are no failure rates '{nameOrFile}', by name or as a file{Uniscale.Configuration.Schema.Names.Hint(nameOrFile, [.. Names])}"
            );
        var file = ConfigurationLoader.Read<FailureFile>(isShipped ? shipped : nameOrFile, "the failure rates");
        foreach (var cause in file.Causes)
            if (cause.Source.Length == 0)
                throw new UserErrorException($"{nameOrFile}: cause '{cause.Name}' has no source: say where its figures come from.");
        return file;
    }

    /// <summary>A duration of a file, in seconds; null where it is unknown.</summary>
    internal static double? Seconds(Clusters.Figure figure, string place) => figure.Read(Unit.Duration, place);
}
