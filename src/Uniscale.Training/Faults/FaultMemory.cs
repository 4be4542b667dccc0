using System.Globalization;
using System.Text.Json;

namespace Uniscale.Training.Faults;

/// <summary>A fault that has happened.</summary>
/// <param name="Index">Its place in <c>faults.inject</c>.</param>
/// <param name="Kind">What went wrong, as it is written in YAML.</param>
/// <param name="Step">The step that was under way.</param>
/// <param name="Rank">The rank that it happened to.</param>
/// <param name="Time">When.</param>
public sealed record FiredFault(int Index, string Kind, long Step, int Rank, DateTimeOffset Time);

/// <summary>
/// What has happened already, in small files of the run directory: a fault that ended the run must not end it again when it comes back to
/// the
/// same step. One file for each fault and rank, so that ranks that die at the same moment do not write over each other.
/// </summary>
public sealed class FaultMemory
{
    /// <summary>Name of the folder in a run directory.</summary>
    public const string FolderName = "faults";

    private readonly string _folder;
    private readonly HashSet<int> _before;

    /// <param name="runDirectory">Directory of the run; faults of this attempt do not enter what was before.</param>
    public FaultMemory(string runDirectory)
    {
        _folder = Path.Combine(runDirectory, FolderName);
        _before = [.. Read(runDirectory).Select(fired => fired.Index)];
    }

    /// <summary>Whether a fault happened in an earlier attempt, to whatever rank.</summary>
    public bool HappenedBefore(int index) => _before.Contains(index);

    /// <summary>Writes down a fault that is about to happen.</summary>
    public void Add(FiredFault fault)
    {
        Directory.CreateDirectory(_folder);
        File.WriteAllText(
            Path.Combine(_folder, string.Create(CultureInfo.InvariantCulture, $"{fault.Index:D3}-rank-{fault.Rank:D5}.json")),
            JsonSerializer.Serialize(fault)
        );
    }

    /// <summary>All faults of a run, earliest first; a file that was cut off is left out.</summary>
    public static IReadOnlyList<FiredFault> Read(string runDirectory)
    {
        string folder = Path.Combine(runDirectory, FolderName);
        if (!Directory.Exists(folder))
            return [];
        return [.. Directory.EnumerateFiles(folder, "*.json").Select(ReadOrNull).OfType<FiredFault>().OrderBy(fault => fault.Time)];
    }

    private static FiredFault? ReadOrNull(string path)
    {
        try
        {
            return JsonSerializer.Deserialize<FiredFault>(File.ReadAllText(path));
        }
        catch (JsonException)
        {
            return null;
        }
    }
}
