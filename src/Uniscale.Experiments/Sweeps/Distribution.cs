using System.Globalization;
using System.IO.Hashing;
using System.Text;
using Uniscale.Configuration;

namespace Uniscale.Experiments.Sweeps;

/// <summary>Draws values: a function of seed, run and key, so that a sweep is the same whenever and wherever it is planned.</summary>
public static class Distribution
{
    /// <summary>The value of a key in a run, as the configuration writes it; numbers to four digits.</summary>
    /// <exception cref="UserErrorException">The distribution is none.</exception>
    public static string Draw(DistributionSection section, string key, long seed, int run)
    {
        Check(section, key);
        double share = Share(seed, run, key);
        if (section.Choice.Count > 0)
            return section.Choice[(int)(share * section.Choice.Count)];
        if (section.Integer is [var least, var most])
            return (least + (long)(share * (most - least + 1))).ToString(CultureInfo.InvariantCulture);
        double value = section.Log is [var low, var high]
            ? low * Math.Pow(high / low, share)
            : section.Uniform[0] + share * (section.Uniform[1] - section.Uniform[0]);
        return double.Parse(value.ToString("G4", CultureInfo.InvariantCulture), CultureInfo.InvariantCulture)
            .ToString("R", CultureInfo.InvariantCulture);
    }

    private static void Check(DistributionSection section, string key)
    {
        int given =
            (section.Log.Count > 0 ? 1 : 0)
            + (section.Uniform.Count > 0 ? 1 : 0)
            + (section.Integer.Count > 0 ? 1 : 0)
            + (section.Choice.Count > 0 ? 1 : 0);
        if (given != 1)
            throw new UserErrorException(
                $"random.values: {key} needs exactly one of log, uniform, integer and choice, for example {{ log: [1e-4, 1e-2] }}."
            );
        CheckBounds(section.Log, key, "log");
        CheckBounds(section.Uniform, key, "uniform");
        CheckBounds([.. section.Integer.Select(value => (double)value)], key, "integer");
        if (section.Log is [<= 0, _])
            throw new UserErrorException(
                $"random.values: {key} is drawn evenly in the logarithm, so its lowest value must be above 0, not {section.Log[0].ToString(CultureInfo.InvariantCulture)}."
            );
    }

    private static void CheckBounds(IReadOnlyList<double> bounds, string key, string kind)
    {
        if (bounds.Count == 0 || (bounds is [var low, var high] && low < high))
            return;
        string given = string.Join(", ", bounds.Select(bound => bound.ToString(CultureInfo.InvariantCulture)));
        throw new UserErrorException(
            $"random.values: {kind} of {key} is [{given}], but must be a lower and a higher bound, for example [1, 8]."
        );
    }

    /// <summary>A number from 0 to below 1.</summary>
    private static double Share(long seed, int run, string key)
    {
        string place = string.Create(CultureInfo.InvariantCulture, $"{seed}/{run}/{key}");
        return (XxHash64.HashToUInt64(Encoding.UTF8.GetBytes(place)) >> 11) * Math.ScaleB(1, -53);
    }
}
