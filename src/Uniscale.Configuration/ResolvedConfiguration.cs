using System.Security.Cryptography;
using System.Text;
using Uniscale.Configuration.Loading;

namespace Uniscale.Configuration;

/// <summary>A configuration with the place that each of its values comes from.</summary>
public sealed class ResolvedConfiguration
{
    internal ResolvedConfiguration(
        RunConfiguration value,
        IReadOnlyDictionary<string, Origin> origins,
        IReadOnlyDictionary<string, Reference> references
    )
    {
        Value = value;
        Origins = origins;
        References = references;
        Hash = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(YamlWriter.Write(this, YamlComments.None))));
    }

    /// <summary>The run as records.</summary>
    public RunConfiguration Value { get; }

    /// <summary>Origins of the values that somebody gave, by path such as <c>model.layers</c> or <c>data.sources[0].weight</c>.</summary>
    public IReadOnlyDictionary<string, Origin> Origins { get; }

    /// <summary>What stood where the environment gave a value, by path. A secret's value is written nowhere, this instead.</summary>
    public IReadOnlyDictionary<string, Reference> References { get; }

    /// <summary>
    /// SHA-256 of the values as YAML, in hexadecimal: equal for equal values, wherever they come from. Of a secret the reference counts.
    /// </summary>
    public string Hash { get; }

    /// <summary>Where the value at <paramref name="path"/> comes from; the default where nobody gave it.</summary>
    public Origin OriginOf(string path) => Origins.GetValueOrDefault(path, Origin.InDefault.Instance);

    /// <summary>
    /// Every value as YAML that loads again; <paramref name="origins"/> adds a comment with the origin of each. Beside a value of the
    /// environment stands
    /// its reference, and in a secret's place.
    /// </summary>
    public string ToYaml(bool origins = false) => YamlWriter.Write(this, origins ? YamlComments.Origins : YamlComments.References);

    /// <summary>Every value as JSON; a secret as its reference.</summary>
    public string ToJson() => JsonWriter.Write(this);
}
