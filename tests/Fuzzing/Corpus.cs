namespace Uniscale.Fuzzing;

/// <summary>Runs a target on a corpus and on what lies near it.</summary>
internal static class Corpus
{
    /// <summary>
    /// Calls the target with every seed of <c>Fuzzing/Corpus/NAME</c> and with mutants of them; an input that it fails on is shown in base
    /// 64.
    /// </summary>
    public static void Try(Action<byte[]> target, string name, int mutants)
    {
        byte[][] seeds =
        [
            .. Directory
                .GetFiles(Path.Combine(AppContext.BaseDirectory, "Fuzzing/Corpus", name))
                .Order(StringComparer.Ordinal)
                .Select(File.ReadAllBytes),
        ];
        Assert.NotEmpty(seeds);
        foreach (byte[] input in Mutations.Of(seeds, mutants, seed: 23))
        {
            try
            {
                target(input);
            }
            catch (Exception failure)
            {
                Assert.Fail($"{failure}\n\n{Convert.ToBase64String(input)}");
            }
        }
    }
}
