using System.Globalization;
using Uniscale.Configuration;
using Uniscale.Dashboard.Safety;

namespace Uniscale.Dashboard.Reading;

/// <summary>
/// The stored configuration of a run, value by value. It is read as text: no variable, secret or further file is looked up.
/// </summary>
/// <param name="Values">Values by path, e.g. <c>optimizer.lr</c>.</param>
/// <param name="Problem">Why there are none; null: there are.</param>
public sealed record FlatConfiguration(IReadOnlyDictionary<string, string> Values, string? Problem)
{
    private const int LongestFile = 1 << 20;

    /// <summary>Reads the configuration of a run.</summary>
    internal static FlatConfiguration Read(RunsFolder door, string run)
    {
        if (door.Text(run, "config.yaml", LongestFile) is not { } yaml)
            return new FlatConfiguration(new Dictionary<string, string>(), "The run has no config.yaml that can be read.");
        try
        {
            return new FlatConfiguration(ConfigurationDifference.ValuesOf(yaml), null);
        }
        catch (UserErrorException error)
        {
            return new FlatConfiguration(new Dictionary<string, string>(), error.Message);
        }
    }

    /// <summary>A value; null: it is not there.</summary>
    public string? this[string path] => Values.GetValueOrDefault(path);

    /// <summary>A number; <paramref name="otherwise"/> where it is none.</summary>
    public double Number(string path, double otherwise) =>
        double.TryParse(this[path], NumberStyles.Float, CultureInfo.InvariantCulture, out double number) ? number : otherwise;

    /// <summary>A whole number of at least <paramref name="least"/>, which it is where the value is none.</summary>
    public int Whole(string path, int least) => (int)Math.Clamp(Number(path, least), least, int.MaxValue);

    /// <summary>Values of an item of a list of maps, by key: those of <c>phases[2]</c> for 2.</summary>
    public IReadOnlyList<IReadOnlyDictionary<string, string>> Items(string list)
    {
        var items = new List<IReadOnlyDictionary<string, string>>();
        while (true)
        {
            string prefix = $"{list}[{items.Count}].";
            var item = Values
                .Where(pair => pair.Key.StartsWith(prefix, StringComparison.Ordinal))
                .ToDictionary(pair => pair.Key[prefix.Length..], pair => pair.Value);
            if (item.Count == 0)
                break;
            items.Add(item);
        }
        return items;
    }
}
