using Uniscale.Corpus.Cleaning;

namespace Uniscale.Corpus.Tests.Cleaning;

public sealed class LanguageClassifierTests
{
    [Theory]
    [InlineData("en", "The quick brown fox jumps over the lazy dog, and it was not the first time that this happened.")]
    [InlineData("zh", "大语言模型的预训练需要大量高质量的文本数据。")]
    [InlineData("zh", "使用 apt-get install 命令安装软件包，然后运行 systemctl restart 重新启动服务。")]
    [InlineData("ja", "大規模言語モデルの事前学習には、高品質なテキストデータが必要です。")]
    [InlineData("ko", "대규모 언어 모델의 사전 학습에는 고품질 텍스트 데이터가 필요합니다.")]
    [InlineData("ru", "Для предварительного обучения больших языковых моделей нужны данные.")]
    [InlineData("de", "Das Haus ist nicht weit von der Stadt, und wir gehen mit den Kindern zu Fuß.")]
    [InlineData("fr", "Les enfants sont dans la maison avec leur mère et ne veulent pas sortir ce soir.")]
    [InlineData("es", "El perro está en la casa con los niños y no quiere salir por la puerta.")]
    [InlineData("other", "int main(void) { return foo(bar, baz) + qux[3] * sizeof(struct node); }")]
    [InlineData("other", "12345 67890 --- +++ ===")]
    [InlineData("other", "")]
    public void Languages_are_told_apart(string language, string text) => Assert.Equal(language, LanguageClassifier.Classify(text));
}
