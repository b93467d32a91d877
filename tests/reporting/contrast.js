// Texts whose contrast with what is behind them is below 4.5 (WCAG 2.2, 1.4.3), as [class, text, ratio].
const parse = (text) => (text.match(/[\d.]+/g) || []).map(Number);
const linear = (value) => (value <= 0.03928 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4);
const luminance = ([red, green, blue]) =>
  0.2126 * linear(red / 255) + 0.7152 * linear(green / 255) + 0.0722 * linear(blue / 255);
const behind = (node) => {
  for (; node; node = node.parentElement) {
    const colour = parse(getComputedStyle(node).backgroundColor);
    if (colour.length === 3 || colour[3] > 0) return colour.slice(0, 3);
  }
  return [255, 255, 255];
};
const faint = [];
for (const node of document.body.querySelectorAll("*")) {
  const speaks = [...node.childNodes].some((child) => child.nodeType === 3 && child.data.trim());
  if (!speaks || !node.offsetParent || node.matches(".skip, .zero, .visually-hidden")) continue;
  const one = luminance(parse(getComputedStyle(node).color));
  const other = luminance(behind(node));
  const ratio = (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);
  if (ratio < 4.5) faint.push([node.className || node.tagName, node.textContent.slice(0, 30), ratio.toFixed(2)]);
}
return faint;
