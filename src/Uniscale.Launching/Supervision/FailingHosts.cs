using System.Text.Json;

namespace Uniscale.Launching.Supervision;

/// <summary>Faults by host, kept in the run's directory over all its starts: a host that fails again and again is left out.</summary>
/// <param name="folder">Launch folder of the run.</param>
public sealed class FailingHosts(string folder)
{
    /// <summary>Name of the file; whoever has mended a host takes it out there.</summary>
    public const string FileName = "failing-hosts.json";

    private readonly string _path = Path.Combine(folder, FileName);
    private readonly SortedDictionary<string, int> _counts = Read(Path.Combine(folder, FileName));

    /// <summary>Faults of a host so far.</summary>
    public int this[string host] => _counts.GetValueOrDefault(host);

    /// <summary>Counts a fault, and returns how many that makes. A full disk is passed over: the count lives on in this process.</summary>
    /// <param name="host">The host.</param>
    /// <param name="least">So many at least it counts for from now on.</param>
    public int Add(string host, int least = 1)
    {
        int count = _counts[host] = Math.Max(this[host] + 1, least);
        try
        {
            Directory.CreateDirectory(folder);
            File.WriteAllText(_path, JsonSerializer.Serialize(_counts));
        }
        catch (IOException)
        {
            // The launcher says the same.
        }
        return count;
    }

    private static SortedDictionary<string, int> Read(string path)
    {
        try
        {
            return File.Exists(path) ? JsonSerializer.Deserialize<SortedDictionary<string, int>>(File.ReadAllText(path)) ?? [] : [];
        }
        catch (JsonException)
        {
            return [];
        }
    }
}
