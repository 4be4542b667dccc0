using System.Globalization;

namespace Uniscale.Configuration.Loading;

/// <summary>How much YAML a reader takes, so that a small file cannot ask for much memory or time.</summary>
/// <param name="Characters">Length of a file.</param>
/// <param name="Nodes">Values, maps and lists, those that stand behind an alias counted each time.</param>
/// <param name="Depth">Maps and lists within one another.</param>
/// <param name="Files">Files that one file draws in by <c>extends</c>, those that are drawn in twice counted twice.</param>
internal sealed record YamlLimits(int Characters = 16 << 20, int Nodes = 200_000, int Depth = 64, int Files = 100)
{
    /// <summary>Environment variable that allows longer files.</summary>
    public const string CharactersVariable = "UNISCALE_YAML_CHARACTERS";

    /// <summary>Environment variable that allows more values.</summary>
    public const string NodesVariable = "UNISCALE_YAML_VALUES";

    /// <summary>The limits of this process.</summary>
    public static YamlLimits Current => new(Of(CharactersVariable, new YamlLimits().Characters), Of(NodesVariable, new YamlLimits().Nodes));

    private static int Of(string variable, int standard)
    {
        string? text = Environment.GetEnvironmentVariable(variable);
        if (string.IsNullOrEmpty(text))
            return standard;
        return int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int limit) && limit > 0
            ? limit
            : throw new UserErrorException(
                $"The environment variable {variable} is '{text}', but must be a whole number from 1 to {int.MaxValue}."
            );
    }
}
