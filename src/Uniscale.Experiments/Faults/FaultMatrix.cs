using Uniscale.Configuration;
using Uniscale.Configuration.Schema;

namespace Uniscale.Experiments.Faults;

/// <summary>How the ranks of a cell run.</summary>
public enum RankKind
{
    /// <summary>Processes under mpirun, watched and started again: <c>uniscale launch</c>.</summary>
    Processes,

    /// <summary>Threads of one process: <c>uniscale train</c>.</summary>
    Threads,
}

/// <summary>A column of the matrix.</summary>
public sealed record LayoutSection
{
    /// <summary>Its name in the table.</summary>
    public string Name { get; init; } = "";

    /// <summary>Number of ranks.</summary>
    [Range(1)]
    public int Ranks { get; init; } = 1;

    /// <summary>Overrides of the run's configuration; <c>{here}</c> is the folder of the matrix's file.</summary>
    public IReadOnlyDictionary<string, string> Set { get; init; } = new Dictionary<string, string>();
}

/// <summary>A row of the matrix: what goes wrong, and what is promised.</summary>
public sealed record CaseSection
{
    /// <summary>Its name in the table.</summary>
    public string Name { get; init; } = "";

    /// <summary>The faults.</summary>
    public IReadOnlyList<FaultSection> Inject { get; init; } = [];

    /// <summary>How the ranks run.</summary>
    public RankKind By { get; init; }

    /// <summary>Overrides of the run's configuration, for the unbroken run too.</summary>
    public IReadOnlyDictionary<string, string> Set { get; init; } = new Dictionary<string, string>();

    /// <summary>The promised exit code.</summary>
    [Range(0, 255)]
    public int Code { get; init; }

    /// <summary>Regular expression of the promised sentence; empty: none is promised.</summary>
    public string Says { get; init; } = "";

    /// <summary>The run is continued with <c>--resume</c> after it has ended.</summary>
    public bool Resume { get; init; }

    /// <summary>The last weights and the optimizer's state are those of the unbroken run, bit by bit.</summary>
    public bool Identical { get; init; } = true;

    /// <summary>Names of the layouts in which it can happen; empty: all.</summary>
    public IReadOnlyList<string> Only { get; init; } = [];

    /// <summary>Why it cannot happen in the others.</summary>
    public string Because { get; init; } = "";
}

/// <summary>Faults by layouts: the file of <c>uniscale faults</c>.</summary>
public sealed record FaultMatrix
{
    /// <summary>Name; the default of the directory is <c>runs/NAME</c>.</summary>
    public string Name { get; init; } = "faults";

    /// <summary>Configuration of the run that is broken, relative to this file; without data it gets a small corpus of its own.</summary>
    public string Run { get; init; } = "";

    /// <summary>
    /// Commands of this program that make what the run reads, done once before the first cell. They and all cells work in the folder
    /// <c>prepared</c> of the matrix's directory, so paths of the run's data are relative to it; <c>{here}</c> is the folder of this file.
    /// Empty: the run's paths are those of where the matrix is started.
    /// </summary>
    public IReadOnlyList<string> Prepare { get; init; } = [];

    /// <summary>Restarts that the supervisor has.</summary>
    [Range(0)]
    public int MaxRestarts { get; init; } = 3;

    /// <summary>Shortest standstill that counts as a hang.</summary>
    [Range(1)]
    public double HangSeconds { get; init; } = 4;

    /// <summary>Seconds after which a cell is ended and failed.</summary>
    [Range(1)]
    public double CellSeconds { get; init; } = 120;

    /// <summary>The columns.</summary>
    public IReadOnlyList<LayoutSection> Layouts { get; init; } = [];

    /// <summary>The rows.</summary>
    public IReadOnlyList<CaseSection> Cases { get; init; } = [];

    /// <summary>Reads a matrix; the path of its run becomes a full one.</summary>
    /// <exception cref="UserErrorException">Something in the file is wrong.</exception>
    public static FaultMatrix Load(string path)
    {
        var matrix = ConfigurationLoader.Read<FaultMatrix>(path, "the matrix");
        if (matrix.Run.Length == 0)
            throw new UserErrorException($"{path}: run is not given: name the configuration of the run that is to be broken.");
        if (matrix.Layouts.Count == 0 || matrix.Cases.Count == 0)
            throw new UserErrorException($"{path}: layouts and cases both need at least one entry.");
        CheckNames(path, "layouts", matrix.Layouts.Select(layout => layout.Name));
        CheckNames(path, "cases", matrix.Cases.Select(entry => entry.Name));
        string[] layouts = [.. matrix.Layouts.Select(layout => layout.Name)];
        foreach (var entry in matrix.Cases)
        {
            if (entry.Inject.Count == 0)
                throw new UserErrorException($"{path}: the case '{entry.Name}' injects nothing: give it at least one fault.");
            foreach (string name in entry.Only.Except(layouts))
                throw new UserErrorException(
                    $"{path}: the case '{entry.Name}' is only for '{name}', which is no layout{Names.Hint(name, layouts)}"
                );
        }
        string here = Path.GetDirectoryName(Path.GetFullPath(path))!;
        return matrix with
        {
            Run = Path.GetFullPath(Path.Combine(here, matrix.Run)),
            Layouts = [.. matrix.Layouts.Select(layout => layout with { Set = In(here, layout.Set) })],
            Here = here,
        };
    }

    /// <summary>Folder of the file.</summary>
    internal string Here { get; private init; } = "";

    /// <summary>The arguments of <see cref="Prepare"/>, command by command.</summary>
    internal IEnumerable<string[]> PrepareArguments() =>
        Prepare.Select(command => (string[])[.. command.Split(' ', StringSplitOptions.RemoveEmptyEntries).Select(word => In(Here, word))]);

    private static string In(string here, string text) => text.Replace("{here}", here, StringComparison.Ordinal);

    private static Dictionary<string, string> In(string here, IReadOnlyDictionary<string, string> set) =>
        set.ToDictionary(pair => pair.Key, pair => In(here, pair.Value));

    /// <summary>The matrix with some rows and columns only.</summary>
    /// <param name="cases">Names of cases or kinds of faults; empty: all.</param>
    /// <param name="layouts">Names of layouts; empty: all.</param>
    /// <exception cref="UserErrorException">A name is not known.</exception>
    public FaultMatrix Only(IReadOnlyList<string> cases, IReadOnlyList<string> layouts)
    {
        string[] knownCases = [.. Cases.Select(entry => entry.Name).Concat(Cases.SelectMany(KindsOf)).Distinct()];
        string[] knownLayouts = [.. Layouts.Select(layout => layout.Name)];
        foreach (string name in cases.Except(knownCases))
            throw new UserErrorException($"--only {name} is no case or kind of the matrix{Names.Hint(name, knownCases)}");
        foreach (string name in layouts.Except(knownLayouts))
            throw new UserErrorException($"--layout {name} is no layout of the matrix{Names.Hint(name, knownLayouts)}");
        return this with
        {
            Cases = [.. Cases.Where(entry => cases.Count == 0 || cases.Contains(entry.Name) || KindsOf(entry).Intersect(cases).Any())],
            Layouts = [.. Layouts.Where(layout => layouts.Count == 0 || layouts.Contains(layout.Name))],
        };
    }

    private static IEnumerable<string> KindsOf(CaseSection entry) => entry.Inject.Select(fault => Names.Kebab(fault.Kind.ToString()));

    private static void CheckNames(string path, string section, IEnumerable<string> names)
    {
        foreach (var same in names.GroupBy(name => name))
            if (same.Key.Length == 0 || same.Count() > 1)
                throw new UserErrorException(
                    $"{path}: {section} has {same.Count()} entries named '{same.Key}': give each a name of its own."
                );
    }
}
