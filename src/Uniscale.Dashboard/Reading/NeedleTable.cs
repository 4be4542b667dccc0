using System.Globalization;
using CsvHelper;
using CsvHelper.Configuration;
using Uniscale.Dashboard.Safety;

namespace Uniscale.Dashboard.Reading;

/// <summary>A needle that was hidden and asked for.</summary>
/// <param name="Length">Tokens of the text.</param>
/// <param name="Depth">Where it lay, in per cent of the text.</param>
/// <param name="Score">0 to 100.</param>
public sealed record NeedleView(double Length, double Depth, string Key, string Answer, bool IsFound, double Score);

/// <summary>Reads a file <c>needle_DATE.csv</c>.</summary>
internal static class NeedleTable
{
    private static readonly string[] Needed = ["length", "depth", "score"];

    private const int LongestFile = 16 << 20,
        MostNeedles = 20_000,
        LongestText = 2_000;

    /// <summary>The needles, in the order of the file.</summary>
    /// <returns>Null: it cannot be read, or is no such table.</returns>
    public static IReadOnlyList<NeedleView>? Read(RunsFolder door, string run, string file)
    {
        if (door.Text(run, file, LongestFile) is not { } text)
            return null;
        var options = new CsvConfiguration(CultureInfo.InvariantCulture) { BadDataFound = null, MissingFieldFound = null };
        try
        {
            using var csv = new CsvReader(new StringReader(text), options);
            if (!csv.Read() || !csv.ReadHeader() || csv.HeaderRecord is not { } header || !Needed.All(header.Contains))
                return null;
            var needles = new List<NeedleView>();
            while (csv.Read() && needles.Count < MostNeedles)
                if (double.IsFinite(Number("length")) && double.IsFinite(Number("depth")))
                    needles.Add(
                        new NeedleView(
                            Number("length"),
                            Number("depth"),
                            Text("key"),
                            Text("answer"),
                            Text("found") is "1" or "True",
                            Number("score")
                        )
                    );
            return needles;

            string Text(string name) => csv.GetField(name) is { } field ? field.Length <= LongestText ? field : field[..LongestText] : "";

            double Number(string name) =>
                double.TryParse(csv.GetField(name), NumberStyles.Float, CultureInfo.InvariantCulture, out double number)
                    ? number
                    : double.NaN;
        }
        catch (CsvHelperException)
        {
            return null;
        }
    }
}
