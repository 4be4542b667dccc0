using System.Text;
using Uniscale.Fuzzing;

namespace Uniscale.Configuration.Tests.Fuzzing;

/// <summary>Any bytes are a configuration or one sentence.</summary>
public sealed class YamlTarget
{
    /// <summary>Reads the bytes as a configuration, and what it resolves to again.</summary>
    internal static void Run(byte[] input)
    {
        try
        {
            var resolved = ConfigurationLoader.Parse(Encoding.UTF8.GetString(input));
            ConfigurationLoader.ParseStored(resolved.ToYaml(), null, "stored");
        }
        catch (UserErrorException error)
        {
            Assert.InRange(error.Message.Length, 1, 4000);
        }
    }

    [Fact]
    public void Nothing_but_a_sentence_comes_of_the_corpus() => Corpus.Try(Run, "yaml", mutants: 3000);
}
